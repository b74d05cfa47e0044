#!/bin/sh -eu
export KUBECONFIG=admin.conf
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out dana.key
openssl req -new -key dana.key -subj "/CN=dana/O=shop-developers" -out dana.csr
cat > csr.yaml <<EOF
apiVersion: certificates.k8s.io/v1
kind: CertificateSigningRequest
metadata:
  name: dana
spec:
  request: $(base64 < dana.csr | tr -d '\n')
  signerName: kubernetes.io/kube-apiserver-client
  expirationSeconds: 86400
  usages:
  - client auth
EOF
kubectl apply -f csr.yaml
kubectl certificate approve dana
kubectl wait --for=jsonpath='{.status.certificate}' csr/dana --timeout=30s
kubectl get csr dana -o jsonpath='{.status.certificate}' | base64 -d > dana.crt

server=$(kubectl config view --minify -o jsonpath='{.clusters[0].cluster.server}')
kubectl config view --minify --raw -o jsonpath='{.clusters[0].cluster.certificate-authority-data}' | base64 -d > ca.crt
kubectl --kubeconfig dana.conf config set-cluster shop --server="$server" \
  --certificate-authority=ca.crt --embed-certs
kubectl --kubeconfig dana.conf config set-credentials dana \
  --client-certificate=dana.crt --client-key=dana.key --embed-certs
kubectl --kubeconfig dana.conf config set-context dana --cluster=shop --user=dana --namespace=shop
kubectl --kubeconfig dana.conf config use-context dana

cat > role.yaml <<'EOF'
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: developer
  namespace: shop
rules:
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch]
- apiGroups: [""]
  resources: [pods/log]
  verbs: [get]
- apiGroups: [apps]
  resources: [deployments]
  verbs: [get, list, watch, create, update]
EOF
kubectl apply -f role.yaml
kubectl -n shop create rolebinding dana --role=developer --user=dana
kubectl --kubeconfig dana.conf auth can-i create deployments
