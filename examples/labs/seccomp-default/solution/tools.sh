#!/bin/sh -eu
# The pod's own securityContext holds for all containers that say nothing themselves:
# so what the container metrics says has to go, and so has the annotation.
cat > cart.yaml <<'YAML'
apiVersion: v1
kind: Pod
metadata:
  name: cart
  namespace: shop
  labels:
    app: cart
spec:
  securityContext:
    seccompProfile:
      type: RuntimeDefault
  containers:
  - name: web
    image: registry.example.com/cart:4.2
    ports:
    - containerPort: 8080
  - name: metrics
    image: registry.example.com/metrics:1.9
    securityContext:
      allowPrivilegeEscalation: false
YAML
cat > checkout.yaml <<'YAML'
apiVersion: apps/v1
kind: Deployment
metadata:
  name: checkout
  namespace: shop
spec:
  replicas: 2
  selector:
    matchLabels:
      app: checkout
  template:
    metadata:
      labels:
        app: checkout
    spec:
      securityContext:
        seccompProfile:
          type: RuntimeDefault
      initContainers:
      - name: migrate
        image: registry.example.com/checkout:7.0
        command: ["/app/migrate"]
      containers:
      - name: api
        image: registry.example.com/checkout:7.0
        securityContext:
          runAsNonRoot: true
      - name: agent
        image: registry.example.com/agent:3.3
        securityContext:
          seccompProfile:
            type: Unconfined
YAML
sed -i.bak 's/^seccompDefault: false/seccompDefault: true/' kubelet.yaml
