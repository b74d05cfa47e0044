#!/bin/sh -eu
cat > node/etc/kubernetes/audit/policy.yaml <<'POLICY'
apiVersion: audit.k8s.io/v1
kind: Policy
rules:
- level: RequestResponse
POLICY
