#!/bin/sh -eu
sed -i 's/and not container.image.repository =/and container.image.repository !=/' falco/falco_rules.local.yaml
