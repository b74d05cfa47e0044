#!/bin/sh -eu
sed 's|/enforce: restricted|/enforce: Restricted|' policy.yaml > changed.yaml
mv changed.yaml policy.yaml
