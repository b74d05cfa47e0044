#!/bin/sh -eu
sed -i 's/^      podSelector:/    - podSelector:/' policies.yaml
