#!/bin/sh -eu
sed -i '/app: postgres/d; /cidr/!{/egress:/,/5432/{/podSelector/d; s|matchLabels:|ipBlock: {cidr: 10.244.2.74/32}|; s|^        ipBlock|    - ipBlock|}}' networkpolicy.yaml
