# The API server of the mistake has to come up.
export KUBECONFIG=$PWD/admin.conf
manifest=node/etc/kubernetes/manifests/kube-apiserver.yaml
restart() {
  mv $manifest new
  while kubectl get --raw /readyz > /dev/null 2>&1; do sleep 0.1; done
  mv new $manifest
  until kubectl get --raw /readyz > /dev/null 2>&1; do sleep 0.2; done
}
sed -i "s|secret: .*|secret: $(head -c 32 /dev/urandom | base64)|" node/etc/kubernetes/enc/enc.yaml
mv $manifest new
while kubectl get --raw /readyz > /dev/null 2>&1; do sleep 0.1; done
mv new $manifest
