#!/bin/sh -eu
sed '/name: gateway$/,/drop:/ s/allowPrivilegeEscalation: false/runAsUser: 0\n      allowPrivilegeEscalation: false/' pod.yaml > changed.yaml
mv changed.yaml pod.yaml
