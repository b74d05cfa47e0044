sed -e s/maxage=10/maxage=5/ -e s/maxbackup=5/maxbackup=10/ node/etc/kubernetes/manifests/kube-apiserver.yaml > new && cp new node/etc/kubernetes/manifests/kube-apiserver.yaml
