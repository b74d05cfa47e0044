#!/bin/sh -eu
openssl x509 -req -in app.csr -CA pki/ca.crt -CAkey pki/ca.key -CAcreateserial -days 3650 -extfile server.ext -out etc/nginx/tls/app.crt
