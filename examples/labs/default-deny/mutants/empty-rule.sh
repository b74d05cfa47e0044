#!/bin/sh -eu
sed -i '0,/- Egress/s//- Egress\n  ingress:\n  - {}/' policies.yaml
