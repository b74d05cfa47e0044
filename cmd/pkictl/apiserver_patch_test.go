package main_test

// patchManifest is a manifest as small as one can be.
const patchManifest = `apiVersion: v1
kind: Pod
metadata: {name: kube-apiserver}
spec:
  containers:
  - name: kube-apiserver
    image: example.com/kube-apiserver:v1.36.3
    command: # of kubeadm
    - kube-apiserver
    - --event-ttl=1h
`
