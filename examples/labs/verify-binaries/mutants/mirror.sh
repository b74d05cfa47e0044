#!/bin/sh -eu
cat > answers.yaml <<'ANSWERS'
tampered: none
has: none
released: none
mixed-up: none
is: none
install: [kube-apiserver, kube-proxy, kubeadm, kubectl, kubelet]
ANSWERS
