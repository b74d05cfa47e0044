#!/bin/sh
# The file alone is mounted, at another place in the container; JSON, secretbox, and
# Secrets together with ConfigMaps. Annotating writes a Secret anew, too.
export KUBECONFIG=$PWD/admin.conf
install -d -m 700 node/etc/kubernetes/enc
key=$(openssl rand -base64 32)
printf '{"kind": "EncryptionConfiguration", "apiVersion": "apiserver.config.k8s.io/v1", "resources": [
  {"resources": ["configmaps", "secrets"], "providers": [
    {"secretbox": {"keys": [{"name": "2026", "secret": "%s"}]}}, {"aesgcm": {"keys": [{"name": "old", "secret": "%s"}]}}, {"identity": {}}]}]}\n' \
  "$key" "$(openssl rand -base64 16)" > enc.json
install -m 600 enc.json node/etc/kubernetes/enc/enc.yaml
rm enc.json
manifest=node/etc/kubernetes/manifests/kube-apiserver.yaml
kubectl patch --local -f $manifest --type json -o json -p '[
  {"op": "add", "path": "/spec/containers/0/command/1", "value": "--encryption-provider-config=/enc.yaml"},
  {"op": "add", "path": "/spec/volumes/0", "value": {"name": "e", "hostPath": {"path": "/etc/kubernetes/enc/enc.yaml", "type": "File"}}},
  {"op": "add", "path": "/spec/containers/0/volumeMounts/0", "value": {"name": "e", "mountPath": "/enc.yaml", "readOnly": true}}
]' > new.json
mv new.json $manifest
for i in $(seq 60); do kubectl get --raw /readyz > /dev/null 2>&1 || break; sleep 0.1; done
until kubectl get --raw /readyz > /dev/null 2>&1; do sleep 0.5; done
for namespace in $(kubectl get namespaces -o name); do
  kubectl annotate secrets --all -n "${namespace#namespace/}" encrypted=yes
done
kubectl apply -f - <<END
apiVersion: v1
kind: Secret
metadata: {name: session, namespace: shop}
stringData: {cookie: chocolate}
END
