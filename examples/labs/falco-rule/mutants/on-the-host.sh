#!/bin/sh -eu
sed -i 's/spawned_process and in_container/spawned_process/' falco/falco_rules.local.yaml
