#!/bin/sh -eu
sed -i.old 's/\.svc//' webhook/tls.ext
openssl x509 -req -in webhook/tls.csr -CA webhook/ca.crt -CAkey webhook/ca.key -CAcreateserial -days 90 -extfile webhook/tls.ext -out webhook/tls.crt
