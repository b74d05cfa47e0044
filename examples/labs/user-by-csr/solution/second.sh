#!/bin/sh -eu
# another kind of key, JSON, a ClusterRole that is bound in one namespace, two bindings
openssl ecparam -name secp384r1 -genkey -noout -out dana.key
openssl req -new -key dana.key -subj "/O=shop-developers/CN=dana" -out dana.csr
printf '{"kind": "CertificateSigningRequest", "apiVersion": "certificates.k8s.io/v1", "metadata": {"name": "dana"}, "spec": {
  "usages": ["digital signature", "client auth"], "expirationSeconds": 86400, "signerName": "kubernetes.io/kube-apiserver-client",
  "request": "%s"}}' "$(base64 -w 0 dana.csr)" | kubectl --kubeconfig admin.conf create -f -
kubectl --kubeconfig admin.conf certificate approve dana
kubectl --kubeconfig admin.conf wait --for=jsonpath='{.status.certificate}' csr/dana --timeout=30s
kubectl --kubeconfig admin.conf get csr dana -o jsonpath='{.status.certificate}' | base64 -d > dana.crt
sed -n 's/.*server: https:..127.0.0.1:/https:\/\/localhost:/p' admin.conf > server
cat > dana.conf <<EOF
{"apiVersion": "v1", "kind": "Config", "current-context": "work", "preferences": {},
 "clusters": [{"name": "c", "cluster": {"server": "$(cat server)", "certificate-authority-data": "$(base64 -w 0 cluster/pki/ca.crt)"}}],
 "users": [{"name": "u", "user": {"client-certificate-data": "$(base64 -w 0 dana.crt)", "client-key-data": "$(base64 -w 0 dana.key)"}}],
 "contexts": [{"name": "other", "context": {"cluster": "c", "user": "u"}}, {"name": "work", "context": {"namespace": "shop", "cluster": "c", "user": "u"}}]}
EOF
export KUBECONFIG=admin.conf
kubectl create clusterrole shop-pods --verb=get,list,watch --resource=pods
kubectl create clusterrole shop-work --verb=get,list,watch,create,update --resource=deployments.apps
kubectl create role logs -n shop --verb=get --resource=pods/log
kubectl create rolebinding pods -n shop --clusterrole=shop-pods --user=dana
kubectl create rolebinding work -n shop --clusterrole=shop-work --user=dana
kubectl create rolebinding logs -n shop --role=logs --user=dana
