#!/bin/sh -eu
kubectl --kubeconfig admin.conf delete -f webhook.yaml
sed '/port:/d' webhook.yaml | kubectl --kubeconfig admin.conf apply -f -
