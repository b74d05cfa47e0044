#!/bin/sh -eu
export KUBECONFIG=admin.conf
kubectl -n reports delete rolebinding reporter
kubectl -n reports create rolebinding reporter --clusterrole=edit --serviceaccount=reports:reporter
