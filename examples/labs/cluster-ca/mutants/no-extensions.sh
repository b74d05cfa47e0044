#!/bin/sh -eu
openssl x509 -req -in ca.csr -signkey pki/ca.key -out pki/ca.crt
