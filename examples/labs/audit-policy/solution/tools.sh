#!/bin/sh -eu
cat > policy.yaml <<'POLICY'
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: ["RequestReceived"]
rules:
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
# Secrets, the other ConfigMaps and all the rest.
- level: Metadata
POLICY
