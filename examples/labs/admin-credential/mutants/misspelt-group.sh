#!/bin/sh -eu
openssl req -new -key admin.key -subj "/CN=kube-admin/O=system:master" -out admin.csr
openssl x509 -req -in admin.csr -CA pki/ca.crt -CAkey pki/ca.key -CAcreateserial -days 90 -extfile client.ext -out admin.crt
