#!/bin/sh -eu
# No file is written that no rule allows to be: so nothing is denied but what a wider
# rule allows. On a node: apparmor_parser -r apparmor/catalog, and aa-status shows it.
cat > apparmor/catalog <<'PROFILE'
#include <tunables/global>

profile catalog-read-only flags=(attach_disconnected) {
  #include <abstractions/base>

  network,
  capability net_bind_service,

  # all files may be read, mapped and run
  /** rmix,

  # temporary files and the cache may be written
  /tmp/** rw,
  /var/cache/catalog/** rw,

  # these are nobody's business
  deny /etc/shadow rw,
  deny /root/** rw,
}
PROFILE
cat > catalog.yaml <<'YAML'
apiVersion: v1
kind: Pod
metadata:
  name: catalog
  namespace: shop
spec:
  containers:
  - name: web
    image: registry.example.com/catalog:3.1
    securityContext:
      appArmorProfile:
        type: Localhost
        localhostProfile: catalog-read-only
    ports:
    - containerPort: 8080
    volumeMounts:
    - name: cache
      mountPath: /var/cache/catalog
  - name: reload
    image: registry.example.com/reload:1.0
    securityContext:
      appArmorProfile:
        type: RuntimeDefault
  volumes:
  - name: cache
    emptyDir: {}
YAML
