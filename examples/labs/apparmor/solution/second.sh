#!/bin/sh -eu
# file, and denied by what is left when the two directories are taken away; a variable;
# permissions before the path; the profile for the pod
cat > apparmor/catalog <<'PROFILE'
abi <abi/3.0>,
include <tunables/global>
@{WRITABLE}=/tmp /var/cache/catalog

profile "catalog-read-only" flags = ( mediate_deleted, attach_disconnected ) {
  network inet stream, network inet6 stream,
  file r /{,**}, # all
  audit allow /** m,
  file /** ix,
  rw "@{WRITABLE}/**",
  allow owner @{WRITABLE}/** k,
  audit deny /etc/shadow rwklx,
  deny @{HOME}/.ssh/** rw, deny r /root/{,**}, deny /root/** w,
}
profile other { capability, }
PROFILE
cat > catalog.yaml <<'YAML'
{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "catalog", "namespace": "shop", "annotations": {"owner": "shop"}},
 "spec": {"securityContext": {"appArmorProfile": {"type": "Localhost", "localhostProfile": "catalog-read-only"}},
  "containers": [{"name": "reload", "image": "registry.example.com/reload:1.0", "securityContext": {"appArmorProfile": {"type": "RuntimeDefault"}}},
   {"name": "web", "image": "registry.example.com/catalog:3.1"}]}}
YAML
