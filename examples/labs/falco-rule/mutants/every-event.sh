#!/bin/sh -eu
sed -i 's/condition: spawned_process and in_container/condition: in_container/' falco/falco_rules.local.yaml
