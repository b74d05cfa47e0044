#!/bin/sh -eu
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out admin.key
openssl req -new -key admin.key -subj "/CN=kube-admin/O=system:masters" -out admin.csr
cat > client.ext <<'EXTENSIONS'
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = clientAuth
EXTENSIONS
openssl x509 -req -in admin.csr -CA pki/ca.crt -CAkey pki/ca.key -CAcreateserial \
  -days 90 -extfile client.ext -out admin.crt
openssl verify -CAfile pki/ca.crt -purpose sslclient admin.crt
