#!/bin/sh -eu
sed -i 's/IP:10.0.0.20/DNS:10.0.0.20/' server.ext
openssl x509 -req -in app.csr -CA pki/ca.crt -CAkey pki/ca.key -CAcreateserial -days 365 -extfile server.ext -out etc/nginx/tls/app.crt
