#!/bin/sh -eu
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out dana.key
