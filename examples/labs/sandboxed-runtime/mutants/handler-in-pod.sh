#!/bin/sh -eu
sed -i.bak 's/runtimeClassName: gvisor/runtimeClassName: runsc/' workloads.yaml
