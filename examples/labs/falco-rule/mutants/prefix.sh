#!/bin/sh -eu
sed -i 's/container.image.repository = reg/container.image.repository startswith reg/' falco/falco_rules.local.yaml
