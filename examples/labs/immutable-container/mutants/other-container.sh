#!/bin/sh -eu
sed -e '/mountPath: \/run/d' -e '/    - name: run/d' \
  -e 's|      mountPath: /pages|      mountPath: /pages\n    - name: run\n      mountPath: /run|' pod.yaml > changed.yaml
sed '/mountPath: \/run/,/readOnly/ { /readOnly/d; }' changed.yaml > pod.yaml
