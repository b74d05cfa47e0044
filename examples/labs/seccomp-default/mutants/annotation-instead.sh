#!/bin/sh -eu
cat > cart.yaml <<'YAML'
apiVersion: v1
kind: Pod
metadata:
  name: cart
  namespace: shop
  annotations:
    container.seccomp.security.alpha.kubernetes.io/web: runtime/default
    container.seccomp.security.alpha.kubernetes.io/metrics: runtime/default
spec:
  containers:
  - name: web
    image: registry.example.com/cart:4.2
  - name: metrics
    image: registry.example.com/metrics:1.9
YAML
