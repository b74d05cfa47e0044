#!/bin/sh -eu
cat >> policy.yaml <<'MANIFEST'
---
apiVersion: policy/v1beta1
kind: PodSecurityPolicy
metadata:
  name: payments-restricted
spec:
  privileged: false
MANIFEST
