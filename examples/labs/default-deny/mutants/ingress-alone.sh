#!/bin/sh -eu
sed -i '/^---/,$d; /- Egress/d' policies.yaml
