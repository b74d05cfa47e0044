#!/bin/sh -eu
sed -i '/namespaceSelector/,/kube-dns/d; s|^  - to:|  - to:\n    - ipBlock: {cidr: 10.96.0.10/32}|' policies.yaml
