#!/bin/sh -eu
cat > clock.yaml <<'MANIFEST'
apiVersion: v1
kind: Pod
metadata:
  name: clock
  namespace: tools
spec:
  containers:
  - name: clock
    image: registry.example.com/tools/timesync:3.1
    command: ["timesync", "--foreground"]
    securityContext:
      capabilities:
        add: ["SYS_TIME"]
        drop: ["CHOWN"]
MANIFEST
cat > web.yaml <<'MANIFEST'
apiVersion: v1
kind: Pod
metadata:
  name: web
  namespace: shop
  labels:
    app: web
spec:
  initContainers:
  - name: assets
    image: registry.example.com/shop/assets:2.3
    command: ["sh", "-c", "cp -r /assets/. /srv"]
    securityContext:
      allowPrivilegeEscalation: false
      capabilities:
        drop: ["ALL"] # of assets
    volumeMounts:
    - name: srv
      mountPath: /srv
  containers:
  - name: web
    image: registry.example.com/shop/web:2.3
    ports:
    - containerPort: 80
    securityContext:
      allowPrivilegeEscalation: false
      capabilities:
        drop: ["ALL"] # of web
        add: ["NET_BIND_SERVICE"]
    volumeMounts:
    - name: srv
      mountPath: /srv
      readOnly: true
  - name: metrics
    image: registry.example.com/tools/exporter:1.4
    ports:
    - containerPort: 9100
    securityContext:
      allowPrivilegeEscalation: false
      capabilities:
        drop: ["ALL"] # of metrics
  volumes:
  - name: srv
    emptyDir: {}
MANIFEST
