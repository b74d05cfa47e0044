#!/bin/sh -eu
sed -i.bak 's/^seccompDefault: .*/seccompDefault: RuntimeDefault/' kubelet.yaml
