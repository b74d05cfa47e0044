#!/bin/sh -eu
export KUBECONFIG=merged.conf
kubectl config unset clusters.shop.certificate-authority-data
kubectl config set-cluster shop --insecure-skip-tls-verify
