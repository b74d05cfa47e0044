#!/bin/sh -eu
sed -e 's/replicas: 2/replicas: 1/' -e '/name: app$/a\        command: ["sleep", "inf"]' deployment.yaml > changed.yaml
mv changed.yaml deployment.yaml
