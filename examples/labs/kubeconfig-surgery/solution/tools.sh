#!/bin/sh -eu
# each cluster and user gets the name of its context
for name in shop ops audit; do
  sed -e "s/name: kubernetes\$/name: $name/" -e "s/cluster: kubernetes\$/cluster: $name/" \
    -e "s/name: developer\$/name: $name/" -e "s/user: developer\$/user: $name/" kube/$name.conf > $name.conf
done
KUBECONFIG=shop.conf:ops.conf:audit.conf kubectl config view --flatten > merged.conf

server=$(kubectl --kubeconfig admin.conf config view --minify -o jsonpath='{.clusters[0].cluster.server}')
export KUBECONFIG=merged.conf
kubectl config set-cluster shop --certificate-authority=cluster/pki/ca.crt --embed-certs
kubectl config set-cluster ops --server="$server"

openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out anna.key
openssl req -new -key anna.key -subj "/O=auditors/CN=anna" -out anna.csr
printf 'keyUsage = critical,digitalSignature\nextendedKeyUsage = clientAuth\n' > client.ext
openssl x509 -req -in anna.csr -CA cluster/pki/ca.crt -CAkey cluster/pki/ca.key -CAcreateserial \
  -days 30 -extfile client.ext -out anna.crt
kubectl config set-credentials auditor --client-certificate=anna.crt --client-key=anna.key --embed-certs
kubectl config use-context ops
for name in shop ops audit; do kubectl --context $name auth whoami; done
