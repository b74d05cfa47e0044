#!/bin/sh -eu
sed -i '/inside-the-cluster/,${/policyTypes/d; /- Egress/d}' policies.yaml
