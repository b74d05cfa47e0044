#!/bin/sh -eu
grep -F '.runtimes.' node/config.toml   # the last part of each table is a handler
cat > runtimeclasses.yaml <<'YAML'
apiVersion: node.k8s.io/v1
kind: RuntimeClass
metadata:
  name: gvisor
handler: runsc
scheduling:
  nodeSelector:
    sandbox: gvisor
---
apiVersion: node.k8s.io/v1
kind: RuntimeClass
metadata:
  name: kata
handler: kata-qemu
overhead:
  podFixed:
    memory: 160Mi
    cpu: 250m
YAML
# The scheduler chooses the node: a pod that names one passes by the RuntimeClass's choice.
cat > workloads.yaml <<'YAML'
apiVersion: v1
kind: Pod
metadata:
  name: uploads
  namespace: shop
spec:
  runtimeClassName: gvisor
  containers:
  - name: unpack
    image: registry.example.com/unpack:5.0
    resources:
      limits:
        memory: 256Mi
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: builds
  namespace: shop
spec:
  replicas: 3
  selector:
    matchLabels:
      app: builds
  template:
    metadata:
      labels:
        app: builds
    spec:
      runtimeClassName: kata
      containers:
      - name: build
        image: registry.example.com/build:2.4
---
apiVersion: v1
kind: Pod
metadata:
  name: metrics
  namespace: shop
spec:
  hostPID: true
  containers:
  - name: metrics
    image: registry.example.com/metrics:1.9
YAML
