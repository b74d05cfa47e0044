#!/bin/sh -eu
openssl genrsa -out pki/ca.key 2048
printf 'basicConstraints = critical,CA:TRUE\nkeyUsage = critical,keyCertSign,cRLSign\n' > ca.ext
openssl req -new -key pki/ca.key -subj "/CN=KUBERNETES-CA" -out ca.csr
openssl x509 -req -in ca.csr -signkey pki/ca.key -days 3650 -extfile ca.ext -out pki/ca.crt
openssl x509 -req -in admin.csr -CA pki/ca.crt -CAkey pki/ca.key -CAcreateserial -days 90 -extfile client.ext -out admin.crt
