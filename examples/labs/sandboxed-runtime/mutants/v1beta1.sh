#!/bin/sh -eu
sed -i.bak 's|node.k8s.io/v1|&beta1|' runtimeclasses.yaml
