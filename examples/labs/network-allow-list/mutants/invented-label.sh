#!/bin/sh -eu
sed -i 's/kubernetes.io\/metadata.name: monitoring/name: monitoring/' policies.yaml
