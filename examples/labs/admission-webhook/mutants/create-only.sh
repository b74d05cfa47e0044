#!/bin/sh -eu
sed 's/, UPDATE//' webhook.yaml | kubectl --kubeconfig admin.conf apply -f -
