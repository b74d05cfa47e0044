#!/bin/sh -eu
sed 's|mountPath: /var/cache/nginx|mountPath: /var/cache/nginx\n      readOnly: true|' pod.yaml > changed.yaml
mv changed.yaml pod.yaml
