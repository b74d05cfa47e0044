#!/bin/sh -eu
export KUBECONFIG=admin.conf
kubectl delete csr dana
openssl req -new -key dana.key -subj "/CN=dana" -out dana.csr
sed "s|request: .*|request: $(base64 < dana.csr | tr -d '\n')|" csr.yaml | kubectl apply -f -
kubectl certificate approve dana
kubectl wait --for=jsonpath='{.status.certificate}' csr/dana --timeout=30s
kubectl get csr dana -o jsonpath='{.status.certificate}' | base64 -d > dana.crt
kubectl --kubeconfig dana.conf config set-credentials dana --client-certificate=dana.crt --client-key=dana.key --embed-certs
