#!/bin/sh -eu
sed -i.bak -e '/runtimeClassName: kata/d' -e 's/^  replicas: 3/&\n  runtimeClassName: kata/' workloads.yaml
