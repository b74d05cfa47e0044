#!/bin/sh -eu
printf 'extendedKeyUsage = serverAuth\n' > client.ext
openssl x509 -req -in admin.csr -CA pki/ca.crt -CAkey pki/ca.key -CAcreateserial -days 90 -extfile client.ext -out admin.crt
