#!/bin/sh -eu
sed -i '/subjectAltName/d' server.ext
openssl x509 -req -in app.csr -CA pki/ca.crt -CAkey pki/ca.key -CAcreateserial -days 365 -extfile server.ext -out etc/nginx/tls/app.crt
