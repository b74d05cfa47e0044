sed '/path: .etc.kubernetes.audit.policy.yaml/{n;s/File/Directory/}' node/etc/kubernetes/manifests/kube-apiserver.yaml > new && cp new node/etc/kubernetes/manifests/kube-apiserver.yaml
