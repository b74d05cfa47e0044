#!/bin/sh -eu
sed -i '/excludedNamespaces/d' constraint.yaml
