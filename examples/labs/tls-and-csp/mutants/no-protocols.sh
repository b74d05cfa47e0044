#!/bin/sh -eu
sed -i '/ssl_protocols/d' etc/nginx/conf.d/app.conf
