#!/bin/sh -eu
export KUBECONFIG=admin.conf
sed '/resourceNames/d' role.yaml | kubectl apply -f -
