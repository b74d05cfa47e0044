#!/bin/sh -eu
mkdir pki
openssl ecparam -name secp384r1 -genkey -out pki/ca.key
cat > ca.cnf <<'CONFIG'
[req]
prompt = no
distinguished_name = dn
x509_extensions = ca
[dn]
O = Harbor Foods
CN = KUBERNETES-CA
[ca]
keyUsage = digitalSignature,keyCertSign,cRLSign
basicConstraints = CA:TRUE,pathlen:1
CONFIG
openssl req -x509 -new -key pki/ca.key -config ca.cnf -days 3653 -text -out pki/ca.crt
