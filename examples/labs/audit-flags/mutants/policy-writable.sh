sed '/name: audit-policy/{n;s/readOnly: true/readOnly: false/}' node/etc/kubernetes/manifests/kube-apiserver.yaml > new && cp new node/etc/kubernetes/manifests/kube-apiserver.yaml
