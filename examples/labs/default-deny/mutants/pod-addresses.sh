#!/bin/sh -eu
sed -i '/namespaceSelector/,/kube-dns/d; s|^  - to:|  - to:\n    - ipBlock: {cidr: 10.244.0.2/32}\n    - ipBlock: {cidr: 10.244.0.3/32}|' policies.yaml
