#!/bin/sh -eu
# What holds for all containers is said once, for the pod; what only containers can
# say, in each of them.
cat > deployment.yaml <<'MANIFEST'
apiVersion: apps/v1
kind: Deployment
metadata:
  name: reports
  namespace: finance
  labels:
    app: reports
spec:
  replicas: 2
  selector:
    matchLabels:
      app: reports
  template:
    metadata:
      labels:
        app: reports
    spec:
      securityContext:
        runAsUser: 1000
        runAsGroup: 3000
        runAsNonRoot: true
        fsGroup: 2000
        seccompProfile:
          type: RuntimeDefault
      initContainers:
      - name: prepare
        image: busybox:1.37
        command: ["mkdir", "-p", "/data/spool"]
        securityContext:
          allowPrivilegeEscalation: false
          capabilities:
            drop: ["ALL"]
        volumeMounts:
        - name: data
          mountPath: /data
      containers:
      - name: app
        image: registry.example.com/finance/reports:4.2
        ports:
        - containerPort: 8080
        securityContext:
          allowPrivilegeEscalation: false
          capabilities:
            drop: ["ALL"]
        volumeMounts:
        - name: data
          mountPath: /data
      - name: log-shipper
        image: registry.example.com/logs/shipper:1.9
        securityContext:
          allowPrivilegeEscalation: false
          capabilities:
            drop: ["ALL"]
        volumeMounts:
        - name: data
          mountPath: /data
          readOnly: true
      volumes:
      - name: data
        emptyDir: {}
MANIFEST
