#!/bin/sh -eu
sed -i.old 's/\.svc//' webhook/tls.ext
openssl genrsa -out webhook/tls.key 1024
openssl req -new -key webhook/tls.key -subj "/CN=image-policy.image-policy" -out webhook/tls.csr
openssl x509 -req -in webhook/tls.csr -CA webhook/ca.crt -CAkey webhook/ca.key -CAcreateserial -days 90 \
  -extfile webhook/tls.ext -out webhook/tls.crt
