#!/bin/sh -eu
sed -i "s/^has:.*/has: $(sha256sum downloads/kubelet | cut -d' ' -f1)/" answers.yaml
