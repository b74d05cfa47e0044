#!/bin/sh -eu
openssl genrsa -out admin.key 1024
openssl req -new -key admin.key -subj "/CN=kube-admin/O=system:masters" -out admin.csr
openssl x509 -req -in admin.csr -CA pki/ca.crt -CAkey pki/ca.key -CAcreateserial -days 90 -extfile client.ext -out admin.crt
