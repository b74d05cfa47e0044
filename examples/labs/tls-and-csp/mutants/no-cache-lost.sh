#!/bin/sh -eu
sed -i '/no-cache/d' etc/nginx/conf.d/app.conf
