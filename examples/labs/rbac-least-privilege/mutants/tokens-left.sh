#!/bin/sh -eu
export KUBECONFIG=admin.conf
kubectl -n reports patch serviceaccount web reporter -p '{"automountServiceAccountToken": null}'
kubectl -n reports patch deployment site -p '{"spec": {"template": {"spec": {"automountServiceAccountToken": true}}}}'
