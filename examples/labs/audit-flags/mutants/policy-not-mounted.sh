sed '/mountPath: .etc.kubernetes.audit.policy.yaml/,+2d' node/etc/kubernetes/manifests/kube-apiserver.yaml > new && cp new node/etc/kubernetes/manifests/kube-apiserver.yaml
