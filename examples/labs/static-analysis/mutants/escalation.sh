#!/bin/sh -eu
sed '/name: uploader/,/drop:/ s/allowPrivilegeEscalation: false/allowPrivilegeEscalation: true/' deployment.yaml > changed.yaml
mv changed.yaml deployment.yaml
