#!/bin/sh -eu
export KUBECONFIG=merged.conf
openssl req -new -key anna.key -subj "/CN=anna" -out anna.csr
openssl x509 -req -in anna.csr -CA cluster/pki/ca.crt -CAkey cluster/pki/ca.key -CAcreateserial -days 30 -extfile client.ext -out anna.crt
kubectl config set-credentials auditor --client-certificate=anna.crt --client-key=anna.key --embed-certs
