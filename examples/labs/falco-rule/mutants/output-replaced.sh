#!/bin/sh -eu
sed -i 's/output: append/output: replace/' falco/falco_rules.local.yaml
