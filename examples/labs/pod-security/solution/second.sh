#!/bin/sh -eu
# A list, labels in flow style without what is the default; each container says all for
# itself, and one may bind low ports, which restricted allows.
cat > policy.yaml <<'MANIFEST'
kind: List
apiVersion: v1
items:
- kind: Namespace
  apiVersion: v1
  metadata:
    labels: {"pod-security.kubernetes.io/warn": "restricted", "pod-security.kubernetes.io/audit": "restricted",
      "pod-security.kubernetes.io/enforce-version": "v1.36", "pod-security.kubernetes.io/enforce": "restricted",
      "kubernetes.io/metadata.name": "payments", "team": "payments"}
    name: payments
MANIFEST
cat > pod.yaml <<'MANIFEST'
apiVersion: v1
kind: Pod
metadata: {name: gateway, namespace: payments}
spec:
  hostNetwork: false
  volumes: [{name: logs, emptyDir: {sizeLimit: 1Gi}}, {name: tls, secret: {secretName: gateway-tls}}]
  initContainers:
  - name: migrate
    image: registry.example.com/payments/migrate:7.1
    securityContext: {runAsNonRoot: true, allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}, seccompProfile: {type: Localhost, localhostProfile: profiles/migrate.json}}
  containers:
  - name: tail
    image: registry.example.com/logs/tail:2.0
    command: [tail, -F, /var/log/gateway/access.log]
    securityContext: {runAsNonRoot: true, allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}, seccompProfile: {type: RuntimeDefault}}
    volumeMounts: [{name: logs, mountPath: /var/log/gateway, readOnly: true}]
  - name: gateway
    image: registry.example.com/payments/gateway:7.1
    ports: [{containerPort: 8443}]
    securityContext: {runAsUser: 1000, runAsNonRoot: true, privileged: false, allowPrivilegeEscalation: false, capabilities: {drop: [ALL], add: [NET_BIND_SERVICE]}, seccompProfile: {type: RuntimeDefault}}
    volumeMounts: [{name: logs, mountPath: /var/log/gateway}, {name: tls, mountPath: /tls, readOnly: true}]
MANIFEST
