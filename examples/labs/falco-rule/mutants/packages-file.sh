#!/bin/sh -eu
sed -i 's/priority: NOTICE/priority: ERROR/' falco/falco_rules.yaml
