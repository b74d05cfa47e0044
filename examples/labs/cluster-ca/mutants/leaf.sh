#!/bin/sh -eu
printf 'basicConstraints = CA:FALSE\nkeyUsage = digitalSignature,keyEncipherment\nextendedKeyUsage = serverAuth\n' > ca.ext
openssl x509 -req -in ca.csr -signkey pki/ca.key -days 3650 -extfile ca.ext -out pki/ca.crt
