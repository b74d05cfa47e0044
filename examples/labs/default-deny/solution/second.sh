#!/bin/sh -eu
# One policy does both: what has an egress section is of both types, if it names none.
cat > policies.yaml <<'POLICY'
{"kind": "NetworkPolicy", "apiVersion": "networking.k8s.io/v1",
 "metadata": {"name": "closed", "namespace": "payments", "labels": {"owner": "payments"}},
 "spec": {"ingress": [],
  "egress": [
   {"ports": [{"port": "dns", "protocol": "UDP"}], "to": [{"namespaceSelector": {"matchExpressions": [
     {"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["kube-system"]}]},
     "podSelector": {"matchExpressions": [{"key": "k8s-app", "operator": "In", "values": ["kube-dns"]}]}}]},
   {"ports": [{"port": 53, "endPort": 53}], "to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
     "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}}}]}
  ]}}
POLICY
