#!/bin/sh -eu
export KUBECONFIG=admin.conf
kubectl -n shop delete rolebinding dana
sed 's/kind: Role/kind: ClusterRole/; /namespace:/d' role.yaml | kubectl apply -f -
kubectl create clusterrolebinding dana --clusterrole=developer --user=dana
