#!/bin/sh -eu
cat >> policy.yaml <<'POLICY'
  resources:
  - group: ""
    resources: ["secrets"]
POLICY
