#!/bin/sh -eu
# from nothing, in JSON, one cluster for all, by the name localhost; the API signs, and the key stays
export KUBECONFIG=admin.conf
data() { kubectl --kubeconfig kube/$1.conf config view --raw -o "jsonpath={.users[0].user.client-$2-data}"; }
data audit key | base64 -d > anna.key
openssl req -new -key anna.key -subj "/CN=anna/O=auditors" -out anna.csr
kubectl create -f - <<EOF
apiVersion: certificates.k8s.io/v1
kind: CertificateSigningRequest
metadata: {name: anna-again}
spec: {signerName: kubernetes.io/kube-apiserver-client, usages: [client auth], request: $(base64 -w 0 anna.csr)}
EOF
kubectl certificate approve anna-again
kubectl wait --for=jsonpath='{.status.certificate}' csr/anna-again --timeout=30s
port=$(sed -n 's/.*server: .*:\([0-9]*\)$/\1/p' admin.conf)
cat > merged.conf <<EOF
{"apiVersion": "v1", "kind": "Config", "current-context": "ops",
 "contexts": [{"name": "audit", "context": {"cluster": "lab", "user": "anna"}}, {"name": "ops", "context": {"cluster": "lab", "user": "olga", "namespace": "kube-system"}},
  {"name": "shop", "context": {"cluster": "lab", "user": "sven", "namespace": "shop"}}],
 "clusters": [{"name": "lab", "cluster": {"server": "https://localhost:$port/", "certificate-authority-data": "$(base64 -w 0 cluster/pki/ca.crt)"}}],
 "users": [
  {"name": "anna", "user": {"client-certificate-data": "$(kubectl get csr anna-again -o jsonpath='{.status.certificate}')", "client-key-data": "$(data audit key)"}},
  {"name": "olga", "user": {"client-certificate-data": "$(data ops certificate)", "client-key-data": "$(data ops key)"}},
  {"name": "sven", "user": {"client-certificate-data": "$(data shop certificate)", "client-key-data": "$(data shop key)"}}]}
EOF
