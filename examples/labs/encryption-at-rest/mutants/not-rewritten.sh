# The API server of the mistake has to come up.
export KUBECONFIG=$PWD/admin.conf
manifest=node/etc/kubernetes/manifests/kube-apiserver.yaml
restart() {
  mv $manifest new
  while kubectl get --raw /readyz > /dev/null 2>&1; do sleep 0.1; done
  mv new $manifest
  until kubectl get --raw /readyz > /dev/null 2>&1; do sleep 0.2; done
}
enc=node/etc/kubernetes/enc/enc.yaml
cp -p $enc kept
sed -i -e '/- identity/d' -e 's/^  providers:/  providers:\n  - identity: {}/' $enc
restart
kubectl get secrets -A -o json | kubectl replace -f -
cp kept $enc
restart
kubectl get secret session -n shop -o json | kubectl replace -f -
