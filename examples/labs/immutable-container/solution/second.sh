#!/bin/sh -eu
# Other names, /var/run instead of /run, one volume with two directories, sizes, and the
# defaults written out.
cat > pod.yaml <<'MANIFEST'
# for the shop
apiVersion: v1
kind: Pod
metadata: {labels: {app: storefront}, name: storefront, namespace: shop}
spec:
  securityContext: {}
  volumes:
  - {name: scratch, emptyDir: {medium: Memory, sizeLimit: 64Mi}}
  - {name: pages, configMap: {name: storefront-pages}}
  containers:
  - name: reload
    image: registry.example.com/shop/reload:1.2
    securityContext: {readOnlyRootFilesystem: true, privileged: false}
    volumeMounts: [{mountPath: /pages, readOnly: true, name: pages}]
  - name: nginx
    image: nginx:1.29
    ports: [{containerPort: 80}]
    securityContext: {privileged: false, readOnlyRootFilesystem: true, allowPrivilegeEscalation: false}
    volumeMounts:
    - {name: scratch, mountPath: /var/run/, subPath: run}
    - {name: scratch, mountPath: /var/cache/nginx/, subPath: cache, readOnly: false}
    - {name: scratch, mountPath: /tmp, subPath: tmp}
    - {name: pages, mountPath: /usr/share/nginx/html, readOnly: true}
MANIFEST
