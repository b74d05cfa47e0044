#!/bin/sh -eu
sed "s|resources: \[pods/log\]|resources: [pods/log, pods/exec]|" role.yaml | kubectl --kubeconfig admin.conf apply -f -
