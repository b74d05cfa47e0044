#!/bin/sh -eu
sed -i 's/^      port: 9100/      port: 9100\n    - port: 6060/; s|^        cidr: 198.51.100.30/32|&\n    - ipBlock: {cidr: 203.0.113.7/32}|' networkpolicy.yaml
