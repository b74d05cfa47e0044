#!/bin/sh -eu
cat > pod.yaml <<'MANIFEST'
apiVersion: v1
kind: Pod
metadata:
  name: storefront
  namespace: shop
  labels:
    app: storefront
spec:
  containers:
  - name: nginx
    image: nginx:1.29
    ports:
    - containerPort: 80
    securityContext:
      readOnlyRootFilesystem: true
    volumeMounts:
    - name: pages
      mountPath: /usr/share/nginx/html
      readOnly: true
    - name: cache
      mountPath: /var/cache/nginx
    - name: run
      mountPath: /run
  - name: reload
    image: registry.example.com/shop/reload:1.2
    securityContext:
      readOnlyRootFilesystem: true
    volumeMounts:
    - name: pages
      mountPath: /pages
      readOnly: true
  volumes:
  - name: pages
    configMap:
      name: storefront-pages
  - name: cache
    emptyDir: {}
  - name: run
    emptyDir: {}
MANIFEST
