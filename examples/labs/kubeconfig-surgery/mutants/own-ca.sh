#!/bin/sh -eu
export KUBECONFIG=merged.conf
openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.crt -days 365 -subj "/CN=kubernetes"
openssl x509 -req -in anna.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 30 -extfile client.ext -out anna.crt
kubectl config set-credentials auditor --client-certificate=anna.crt --client-key=anna.key --embed-certs
