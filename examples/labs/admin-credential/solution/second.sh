#!/bin/sh -eu
openssl ecparam -name prime256v1 -genkey -noout -out admin.key
openssl req -new -key admin.key -subj "/O=system:masters/CN=kube-admin" -out admin.csr
printf 'extendedKeyUsage = critical,clientAuth\n' > client.ext
openssl x509 -req -in admin.csr -CA pki/ca.crt -CAkey pki/ca.key -set_serial 0x1001 -days 365 -sha384 -extfile client.ext -out admin.crt
cat pki/ca.crt >> admin.crt
