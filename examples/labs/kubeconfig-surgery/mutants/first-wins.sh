#!/bin/sh -eu
export KUBECONFIG=merged.conf
KUBECONFIG=kube/shop.conf:kube/ops.conf:kube/audit.conf kubectl config view --flatten > all.conf
mv all.conf merged.conf
