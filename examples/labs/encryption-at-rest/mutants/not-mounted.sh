sed '/mountPath: .etc.kubernetes.enc/,+2d' node/etc/kubernetes/manifests/kube-apiserver.yaml > new && cp new node/etc/kubernetes/manifests/kube-apiserver.yaml
