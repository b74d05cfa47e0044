#!/bin/sh -eu
sed 's|/enforce-version: v1.36|/enforce-version: latest|' policy.yaml > changed.yaml
mv changed.yaml policy.yaml
