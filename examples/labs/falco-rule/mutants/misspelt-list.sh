#!/bin/sh -eu
sed -i 's/in (watched_programs)/in (watched_program)/' falco/falco_rules.local.yaml
