#!/bin/sh -eu
sed -i 's/Content-Security-Policy/Content-Security-Policy-Report-Only/' etc/nginx/conf.d/app.conf
