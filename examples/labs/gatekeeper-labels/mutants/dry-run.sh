#!/bin/sh -eu
sed -i 's/^spec:/spec:\n  enforcementAction: dryrun/' constraint.yaml
