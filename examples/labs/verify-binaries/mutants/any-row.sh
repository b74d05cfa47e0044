#!/bin/sh -eu
sed -i -e 's/^mixed-up:.*/mixed-up: none/' -e 's/^is:.*/is: none/' -e 's/^install:.*/install: kube-apiserver, kube-proxy, kubeadm, kubectl/' answers.yaml
