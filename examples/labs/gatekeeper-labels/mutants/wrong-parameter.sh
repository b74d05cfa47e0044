#!/bin/sh -eu
sed -i 's/    labels:/    label:/' constraint.yaml
