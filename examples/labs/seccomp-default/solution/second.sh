#!/bin/sh -eu
# each container says it again, JSON, flow style, a List and the other order
cat > cart.yaml <<'YAML'
{"apiVersion": "v1", "kind": "List", "items": [{"kind": "Pod", "apiVersion": "v1",
 "metadata": {"namespace": "shop", "name": "cart", "annotations": {"team": "cart"}},
 "spec": {"containers": [
   {"name": "metrics", "image": "registry.example.com/metrics:1.9", "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}}},
   {"name": "web", "image": "registry.example.com/cart:4.2"}],
  "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}, "runAsUser": 1000}}}]}
YAML
cat > checkout.yaml <<'YAML'
# the service goes with it
apiVersion: v1
kind: Service
metadata: {name: checkout, namespace: shop}
spec: {selector: {app: checkout}, ports: [{port: 80}]}
---
kind: Deployment
apiVersion: apps/v1
metadata: {namespace: shop, name: checkout}
spec:
  selector: {matchLabels: {app: checkout}}
  template:
    spec:
      containers:
      - {name: agent, image: "registry.example.com/agent:3.3", securityContext: {seccompProfile: {type: Unconfined}}}
      - {name: api, image: "registry.example.com/checkout:7.0", securityContext: {"seccompProfile": {"type": "RuntimeDefault"}}}
      initContainers:
      - {name: migrate, image: "registry.example.com/checkout:7.0", securityContext: {privileged: false, seccompProfile: {type: 'RuntimeDefault'}}}
    metadata: {labels: {app: checkout}}
YAML
sed 's/$/\r/' checkout.yaml > crlf && mv crlf checkout.yaml
grep -v seccompDefault kubelet.yaml > k && mv k kubelet.yaml
printf '\nseccompDefault: true # since 1.27\n' >> kubelet.yaml
