#!/bin/sh -eu
export KUBECONFIG=admin.conf
sed 's/kind: Role/kind: ClusterRole/; /namespace:/d' role.yaml | kubectl apply -f -
kubectl create clusterrolebinding reporter --clusterrole=reporter --serviceaccount=reports:reporter
