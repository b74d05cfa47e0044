#!/bin/sh -eu
sed -i 's/container.id != host/container.id !- host/' falco/falco_rules.local.yaml
