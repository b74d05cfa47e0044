#!/bin/sh -eu
sed -i '/^        add_header Content/d' etc/nginx/conf.d/app.conf
