#!/bin/sh -eu
sed -i 's/TLSv1.2 TLSv1.3/TLSv1.1 TLSv1.2 TLSv1.3/' etc/nginx/conf.d/app.conf
