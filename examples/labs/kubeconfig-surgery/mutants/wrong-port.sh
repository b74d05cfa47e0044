#!/bin/sh -eu
export KUBECONFIG=merged.conf
kubectl config set-cluster ops --server=https://127.0.0.1:6443
