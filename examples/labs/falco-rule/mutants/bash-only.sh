#!/bin/sh -eu
sed -i 's/items: .*/items: [bash]/' falco/falco_rules.local.yaml
