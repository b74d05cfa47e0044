#!/bin/sh -eu
sed -e '/fsGroup/d' -e '/name: app/,/drop:/ s/allowPrivilegeEscalation: false/fsGroup: 2000\n          allowPrivilegeEscalation: false/' deployment.yaml > changed.yaml
mv changed.yaml deployment.yaml
