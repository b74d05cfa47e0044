#!/bin/sh -eu
sed 's/runAsNonRoot: true/runAsNonRoot: "true"/' deployment.yaml > changed.yaml
mv changed.yaml deployment.yaml
