#!/bin/sh -eu
openssl x509 -req -in admin.csr -CA pki/ca.crt -CAkey pki/ca.key -CAcreateserial -days 3650 -extfile client.ext -out admin.crt
