#!/bin/sh -eu
sed -i '/name: monitoring/,/prometheus/s/^      podSelector:/    - podSelector:/' policies.yaml
