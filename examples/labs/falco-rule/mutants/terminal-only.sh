#!/bin/sh -eu
sed -i 's/in (watched_programs)/in (watched_programs) and proc.tty != 0/' falco/falco_rules.local.yaml
