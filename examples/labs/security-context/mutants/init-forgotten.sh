#!/bin/sh -eu
sed '/name: prepare/,/drop:/ s/allowPrivilegeEscalation: false/runAsUser: 0\n          allowPrivilegeEscalation: false/' deployment.yaml > changed.yaml
mv changed.yaml deployment.yaml
