#!/bin/sh -eu
printf 'basicConstraints = critical,CA:TRUE\nkeyUsage = critical,keyCertSign,cRLSign\n' > ca.ext
openssl x509 -req -in ca.csr -signkey pki/ca.key -days 365 -extfile ca.ext -out pki/ca.crt
