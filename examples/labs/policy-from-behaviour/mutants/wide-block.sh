#!/bin/sh -eu
sed -i 's|198.51.100.30/32|198.51.100.0/24|' networkpolicy.yaml
