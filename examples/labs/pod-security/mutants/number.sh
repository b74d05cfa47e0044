#!/bin/sh -eu
sed 's|/enforce-version: v1.36|/enforce-version: 1.36|' policy.yaml > changed.yaml
mv changed.yaml policy.yaml
