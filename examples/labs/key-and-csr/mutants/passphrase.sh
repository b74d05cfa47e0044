#!/bin/sh -eu
openssl rsa -in orders.key -aes256 -passout pass:harbor -out encrypted.key
mv encrypted.key orders.key
