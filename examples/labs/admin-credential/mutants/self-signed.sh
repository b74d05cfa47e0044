#!/bin/sh -eu
openssl x509 -req -in admin.csr -signkey admin.key -days 90 -extfile client.ext -out admin.crt
