#!/bin/sh -eu
sed '/namespaceSelector/,$d' webhook.yaml | kubectl --kubeconfig admin.conf apply -f -
kubectl --kubeconfig admin.conf get validatingwebhookconfiguration image-policy -o jsonpath='{.webhooks[0].namespaceSelector}'
