#!/bin/sh -eu
export KUBECONFIG=admin.conf
kubectl -n billing create rolebinding import-2019 --clusterrole=admin --group=system:serviceaccounts:reports
