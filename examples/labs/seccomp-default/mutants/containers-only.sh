#!/bin/sh -eu
cat > cart.yaml <<'YAML'
apiVersion: v1
kind: Pod
metadata:
  name: cart
  namespace: shop
spec:
  containers:
  - name: web
    image: registry.example.com/cart:4.2
    securityContext: {seccompProfile: {type: RuntimeDefault}}
  - name: metrics
    image: registry.example.com/metrics:1.9
    securityContext: {seccompProfile: {type: RuntimeDefault}}
YAML
