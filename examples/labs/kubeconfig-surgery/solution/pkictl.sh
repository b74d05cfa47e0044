#!/bin/sh -eu
# The certificates API signs anna's new certificate, of which the kubeconfig changes alone.
pkictl user renew kube/audit.conf --kubeconfig admin.conf --via csr --for 720h
server=$(kubectl --kubeconfig admin.conf config view --minify -o jsonpath='{.clusters[0].cluster.server}')
kubectl --kubeconfig kube/shop.conf config set-cluster kubernetes \
  --certificate-authority=cluster/pki/ca.crt --embed-certs
kubectl --kubeconfig kube/ops.conf config set-cluster kubernetes --server="$server"

# What is taken gets another name where the context does: it comes over under a new one.
pkictl kubeconfig merge kube/ops.conf --into merged.conf --set-current
pkictl kubeconfig merge kube/shop.conf --into merged.conf --rename shop=shop-
pkictl kubeconfig merge kube/audit.conf --into merged.conf
kubectl --kubeconfig merged.conf config rename-context shop- shop
pkictl kubeconfig check merged.conf
