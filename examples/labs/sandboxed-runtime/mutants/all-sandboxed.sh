#!/bin/sh -eu
sed -i.bak 's/^  hostPID: true/&\n  runtimeClassName: gvisor/' workloads.yaml
