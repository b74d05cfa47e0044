#!/bin/sh -eu
sed -i "s/'self'\"/'self'; script-src 'self' 'unsafe-inline'\"/" etc/nginx/conf.d/app.conf
