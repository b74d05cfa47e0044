#!/bin/sh -eu
# One policy for each line of the task, in a list, with matchExpressions and names of ports.
cat > policies.yaml <<'POLICIES'
apiVersion: v1
kind: List
items:
- kind: NetworkPolicy
  apiVersion: networking.k8s.io/v1
  metadata: {name: egress-inside, namespace: web}
  spec:
    policyTypes: [Egress]
    podSelector: {matchExpressions: []}
    egress:
    - {to: [{podSelector: {}, namespaceSelector: {}}]}
- kind: NetworkPolicy
  apiVersion: networking.k8s.io/v1
  metadata: {name: nginx-closed, namespace: web}
  spec: {podSelector: {matchLabels: {app: nginx}}}
- kind: NetworkPolicy
  apiVersion: networking.k8s.io/v1
  metadata: {name: nginx-clients, namespace: web}
  spec:
    podSelector: {matchExpressions: [{key: app, operator: In, values: [nginx]}]}
    ingress:
    - from: [{podSelector: {matchExpressions: [{key: nginx, operator: In, values: [client]}]}}]
      ports: [{protocol: TCP, port: 80, endPort: 80}]
- kind: NetworkPolicy
  apiVersion: networking.k8s.io/v1
  metadata: {name: nginx-metrics, namespace: web}
  spec:
    podSelector: {matchLabels: {app: nginx}}
    ingress:
    - ports: [{port: metrics}]
      from:
      - podSelector: {matchLabels: {app: prometheus}}
        namespaceSelector: {matchExpressions: [{key: kubernetes.io/metadata.name, operator: In, values: [monitoring]}]}
- kind: NetworkPolicy
  apiVersion: networking.k8s.io/v1
  metadata: {name: backend, namespace: web}
  spec:
    podSelector: {matchLabels: {tier: backend}}
    ingress:
    - from:
      - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: web}}
        podSelector: {matchLabels: {tier: frontend}}
      ports: [{protocol: TCP, port: api}]
POLICIES
