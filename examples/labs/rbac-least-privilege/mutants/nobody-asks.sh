#!/bin/sh -eu
export KUBECONFIG=admin.conf
kubectl -n reports patch deployment report-builder -p '{"spec": {"template": {"spec": {"automountServiceAccountToken": null}}}}'
