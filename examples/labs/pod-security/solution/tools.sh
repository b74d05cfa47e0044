#!/bin/sh -eu
cat > policy.yaml <<'MANIFEST'
apiVersion: v1
kind: Namespace
metadata:
  name: payments
  labels:
    team: payments
    pod-security.kubernetes.io/enforce: restricted
    pod-security.kubernetes.io/enforce-version: v1.36
    pod-security.kubernetes.io/audit: restricted
    pod-security.kubernetes.io/audit-version: latest
    pod-security.kubernetes.io/warn: restricted
    pod-security.kubernetes.io/warn-version: latest
MANIFEST
cat > pod.yaml <<'MANIFEST'
apiVersion: v1
kind: Pod
metadata:
  name: gateway
  namespace: payments
  labels:
    app: gateway
spec:
  securityContext:
    runAsNonRoot: true
    runAsUser: 10001
    seccompProfile:
      type: RuntimeDefault
  initContainers:
  - name: migrate
    image: registry.example.com/payments/migrate:7.1
    securityContext:
      allowPrivilegeEscalation: false
      capabilities:
        drop: ["ALL"]
  containers:
  - name: gateway
    image: registry.example.com/payments/gateway:7.1
    ports:
    - containerPort: 8443
    securityContext:
      allowPrivilegeEscalation: false
      capabilities:
        drop: ["ALL"]
    volumeMounts:
    - name: logs
      mountPath: /var/log/gateway
  - name: tail
    image: registry.example.com/logs/tail:2.0
    command: ["tail", "-F", "/var/log/gateway/access.log"]
    securityContext:
      allowPrivilegeEscalation: false
      capabilities:
        drop: ["ALL"]
    volumeMounts:
    - name: logs
      mountPath: /var/log/gateway
      readOnly: true
  volumes:
  - name: logs
    emptyDir: {}
MANIFEST
