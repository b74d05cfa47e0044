#!/bin/sh -eu
sed -i "s/\"default-src 'self'\"/default-src 'self'/" etc/nginx/conf.d/app.conf
