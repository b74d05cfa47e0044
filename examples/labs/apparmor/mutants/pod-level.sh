#!/bin/sh -eu
cat > catalog.yaml <<'YAML'
apiVersion: v1
kind: Pod
metadata: {name: catalog, namespace: shop}
spec:
  securityContext: {appArmorProfile: {type: Localhost, localhostProfile: catalog-read-only}}
  containers:
  - {name: web, image: "registry.example.com/catalog:3.1"}
  - {name: reload, image: "registry.example.com/reload:1.0"}
YAML
