#!/bin/sh -eu
openssl req -new -key pki/ca.key -subj "/CN=kubernetes" -out ca.csr
openssl x509 -req -in ca.csr -signkey pki/ca.key -days 3650 -extfile ca.ext -out pki/ca.crt
