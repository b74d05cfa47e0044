#!/bin/sh -eu
sed '/name: uploader/,/drop:/ s/readOnlyRootFilesystem: true/readOnlyRootFilesystem: true\n          runAsUser: 0/' deployment.yaml > changed.yaml
mv changed.yaml deployment.yaml
