#!/bin/sh -eu
sed -i 's/listen 443 ssl/listen 443/' etc/nginx/conf.d/app.conf
