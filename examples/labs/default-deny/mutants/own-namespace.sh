#!/bin/sh -eu
sed -i '0,/- Egress/s//- Egress\n  ingress:\n  - from:\n    - podSelector: {}\n  egress:\n  - to:\n    - podSelector: {}/' policies.yaml
