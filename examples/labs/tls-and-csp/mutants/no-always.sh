#!/bin/sh -eu
sed -i "s/'self'\" always/'self'\"/" etc/nginx/conf.d/app.conf
