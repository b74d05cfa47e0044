#!/bin/sh -eu
# Each container says all for itself; the service account is in the file, too.
cat > deployment.yaml <<'MANIFEST'
apiVersion: v1
kind: ServiceAccount
metadata: {name: builder, namespace: ci}
automountServiceAccountToken: false
---
apiVersion: apps/v1
kind: Deployment
metadata: {namespace: ci, name: builder}
spec:
  selector: {matchLabels: {app: builder}}
  replicas: 1
  template:
    metadata: {labels: {app: builder}}
    spec:
      hostPID: false
      automountServiceAccountToken: false
      serviceAccountName: builder
      volumes: [{name: work, emptyDir: {sizeLimit: 2Gi}}]
      containers:
      - name: uploader
        image: registry.example.com/ci/uploader:1.3
        resources: {limits: {cpu: 0.2, memory: 64Mi}}
        securityContext: {readOnlyRootFilesystem: true, runAsUser: 65534, capabilities: {drop: [ALL]}}
        volumeMounts: [{mountPath: /work, name: work}]
      - name: builder
        image: registry.example.com/ci/builder:5.0
        resources: {limits: {cpu: 2, memory: 1Gi}}
        securityContext: {privileged: false, readOnlyRootFilesystem: true, runAsNonRoot: true, capabilities: {drop: [ALL]}}
        volumeMounts: [{mountPath: /work, name: work}]
MANIFEST
