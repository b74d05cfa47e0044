#!/bin/sh -eu
sed -i 's|- namespaceSelector: {}|- ipBlock: {cidr: 10.0.0.0/8}|' policies.yaml
