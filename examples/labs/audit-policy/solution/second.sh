#!/bin/sh -eu
# As JSON, with the group left out where it is the core group, the stage in each rule,
# Secrets in a rule of their own, and a list for each verb.
cat > policy.yaml <<'POLICY'
{"kind": "Policy", "apiVersion": "audit.k8s.io/v1", "metadata": {"name": "production"}, "rules": [
  {"level": "Metadata", "omitStages": ["RequestReceived"], "resources": [{"resources": ["secrets"]}]},
  {"level": "Request", "omitStages": ["RequestReceived"], "verbs": ["patch", "update"], "namespaces": ["prod-namespace"],
   "resources": [{"resources": ["configmaps"], "resourceNames": ["feature-flags"]}]},
  {"level": "RequestResponse", "omitStages": ["RequestReceived"], "verbs": ["deletecollection"], "namespaces": ["prod-namespace"],
   "resources": [{"group": "", "resources": ["pods"]}]},
  {"level": "RequestResponse", "omitStages": ["RequestReceived"], "verbs": ["delete"], "namespaces": ["prod-namespace"],
   "resources": [{"group": "", "resources": ["pods"]}]},
  {"level": "Metadata", "omitStages": ["RequestReceived"], "resources": [{"group": "", "resources": ["configmaps", "pods"]}]},
  {"level": "Metadata", "omitStages": ["RequestReceived"], "omitManagedFields": true}
]}
POLICY
