#!/bin/sh -eu
sed 's|emptyDir: {}|hostPath: {path: /var/log/gateway}|' pod.yaml > changed.yaml
mv changed.yaml pod.yaml
