#!/bin/sh -eu
export KUBECONFIG=merged.conf
kubectl config set-credentials auditor --client-certificate=anna.crt --client-key=anna.key
