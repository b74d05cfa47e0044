sed 's/^    name: audit-log/    name: audit-logs/' node/etc/kubernetes/manifests/kube-apiserver.yaml > new && cp new node/etc/kubernetes/manifests/kube-apiserver.yaml
