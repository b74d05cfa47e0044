#!/bin/sh -eu
openssl req -x509 -newkey rsa:2048 -nodes -keyout webhook/ca.key -out webhook/ca.crt -days 365 \
  -subj "/CN=image-policy-ca" -addext "basicConstraints = critical,CA:FALSE"
sed "s|caBundle: .*|caBundle: $(base64 < webhook/ca.crt | tr -d '\n')|" webhook.yaml | kubectl --kubeconfig admin.conf apply -f -
