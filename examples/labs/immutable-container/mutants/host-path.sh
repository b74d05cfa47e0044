#!/bin/sh -eu
sed '/name: cache/,/emptyDir/ s|emptyDir: {}|hostPath: {path: /var/cache/storefront}|' pod.yaml > changed.yaml
mv changed.yaml pod.yaml
