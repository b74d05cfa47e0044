#!/bin/sh -eu
openssl ecparam -name prime256v1 -genkey -noout -out etc/nginx/tls/app.key
