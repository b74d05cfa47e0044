#!/bin/sh -eu
sed -i 's/required := .*/required := {"owner"}/' template.yaml
