#!/bin/sh -eu
openssl rsa -in pki/ca.key -aes256 -passout pass:harbor -out encrypted.key
mv encrypted.key pki/ca.key
