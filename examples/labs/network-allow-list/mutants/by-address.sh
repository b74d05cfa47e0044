#!/bin/sh -eu
sed -i 's|- namespaceSelector: {}|- ipBlock: {cidr: 10.244.0.0/16}|' policies.yaml
