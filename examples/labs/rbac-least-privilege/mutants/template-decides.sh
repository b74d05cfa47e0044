#!/bin/sh -eu
export KUBECONFIG=admin.conf
kubectl -n reports patch deployment site -p '{"spec": {"template": {"spec": {"automountServiceAccountToken": true}}}}'
