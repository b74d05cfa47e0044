#!/bin/sh -eu
sed 's/containerPort: 8443/containerPort: 8443\n      hostPort: 8443/' pod.yaml > changed.yaml
mv changed.yaml pod.yaml
