#!/bin/sh -eu
kubectl --kubeconfig admin.conf delete csr dana
printf 'extendedKeyUsage = clientAuth\n' > client.ext
openssl x509 -req -in dana.csr -CA cluster/pki/ca.crt -CAkey cluster/pki/ca.key -CAcreateserial -days 365 \
  -extfile client.ext -out dana.crt
kubectl --kubeconfig dana.conf config set-credentials dana --client-certificate=dana.crt --client-key=dana.key --embed-certs
