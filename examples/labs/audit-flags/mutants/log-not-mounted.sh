sed '/mountPath: .var.log.kubernetes.audit/,+1d' node/etc/kubernetes/manifests/kube-apiserver.yaml > new && cp new node/etc/kubernetes/manifests/kube-apiserver.yaml
