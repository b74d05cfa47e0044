#!/bin/sh -eu
sed -i 's/\$host\$request_uri/app.example.com/' etc/nginx/conf.d/app.conf
