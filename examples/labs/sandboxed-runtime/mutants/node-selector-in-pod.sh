#!/bin/sh -eu
sed -i.bak '/^scheduling:/,/sandbox: gvisor/d' runtimeclasses.yaml
sed -i.bak 's/^  runtimeClassName: gvisor/&\n  nodeSelector: {sandbox: gvisor}/' workloads.yaml
