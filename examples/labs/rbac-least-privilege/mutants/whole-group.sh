#!/bin/sh -eu
export KUBECONFIG=admin.conf
kubectl -n reports create rolebinding all --role=reporter --group=system:serviceaccounts:reports
