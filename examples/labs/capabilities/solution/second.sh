#!/bin/sh -eu
# Flow style and JSON, what is the default written out, small letters, an add without
# effect, and a second object in the file.
cat > clock.yaml <<'MANIFEST'
{"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": "tools", "name": "clock"}, "spec": {"containers": [
 {"name": "clock", "image": "registry.example.com/tools/timesync:3.1", "command": ["timesync", "--foreground"],
  "securityContext": {"privileged": false, "capabilities": {"drop": ["CHOWN"], "add": ["SYS_TIME", "KILL"]}}}]}}
MANIFEST
cat > web.yaml <<'MANIFEST'
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
spec:
  volumes: [{name: srv, emptyDir: {}}]
  containers:
  - name: metrics
    image: registry.example.com/tools/exporter:1.4
    ports: [{containerPort: 9100}]
    securityContext: &none {privileged: false, allowPrivilegeEscalation: false, capabilities: {add: [], drop: [all]}}
  - name: web
    image: registry.example.com/shop/web:2.3
    ports: [{containerPort: 80, protocol: TCP}]
    securityContext: {allowPrivilegeEscalation: false, capabilities: {add: [NET_BIND_SERVICE], drop: [ALL, NET_RAW]}}
    volumeMounts: [{name: srv, mountPath: /srv, readOnly: true}]
  initContainers:
  - name: assets
    image: registry.example.com/shop/assets:2.3
    command: [sh, -c, cp -r /assets/. /srv]
    securityContext: *none
    volumeMounts: [{name: srv, mountPath: /srv}]
MANIFEST
