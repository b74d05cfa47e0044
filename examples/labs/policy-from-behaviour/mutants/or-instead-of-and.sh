#!/bin/sh -eu
sed -i '/name: batch/,/settlement/s/^      podSelector:/    - podSelector:/' networkpolicy.yaml
