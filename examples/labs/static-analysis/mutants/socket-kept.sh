#!/bin/sh -eu
sed 's|      volumes:|      volumes:\n      - name: docker\n        hostPath: {path: /var/run/docker.sock}|' deployment.yaml > changed.yaml
mv changed.yaml deployment.yaml
