#!/bin/sh -eu
mkdir -p pki
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out pki/ca.key
openssl req -new -key pki/ca.key -subj "/CN=KUBERNETES-CA" -out ca.csr
cat > ca.ext <<'EXTENSIONS'
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
EXTENSIONS
openssl x509 -req -in ca.csr -signkey pki/ca.key -days 3650 -extfile ca.ext -out pki/ca.crt
