#!/bin/sh -eu
openssl x509 -req -in app.csr -signkey etc/nginx/tls/app.key -days 365 -extfile server.ext -out etc/nginx/tls/app.crt
