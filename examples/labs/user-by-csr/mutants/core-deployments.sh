#!/bin/sh -eu
sed 's/apiGroups: \[apps\]/apiGroups: [""]/' role.yaml | kubectl --kubeconfig admin.conf apply -f -
