#!/bin/sh -eu
cat > policy.yaml <<'POLICY'
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: ["RequestReceived"]
rules:
- level: RequestResponse
  namespace: ["prod-namespace"]
  verbs: ["delete", "deletecollection"]
  resources:
  - groups: " "
    resources: ["pods"]
- level: Request
  namespace: ["prod-namespace"]
  verbs: ["update", "patch"]
  resources:
  - groups: " "
    resources: ["configmaps"]
    resourceName: ["feature-flags"]
- level: Metadata
  resources:
  - groups: " "
    resources: ["secrets"]
- level: Metadata
  nonResourceURLs: ["*"]
- level: Metadata
  resources:
  - group: apps
POLICY
