#!/bin/sh -eu
cat > policy.yaml <<'POLICY'
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: ["RequestReceived"]
rules:
- level: None
  users: ["system:kube-proxy"]
  verbs: ["watch"]
  resources:
  - group: ""
    resources: ["endpoints", "services"]
- level: RequestResponse
  namespaces: ["prod-namespace"]
  verbs: ["delete", "deletecollection"]
  resources:
  - group: ""
    resources: ["pods"]
- level: Request
  namespaces: ["prod-namespace"]
  verbs: ["update", "patch"]
  resources:
  - group: ""
    resources: ["configmaps"]
    resourceNames: ["feature-flags"]
- level: Metadata
POLICY
