#!/bin/sh -eu
sed -i 's/return 301/return 302/' etc/nginx/conf.d/app.conf
