#!/bin/sh
# An editor does the same. It writes a copy elsewhere: in manifests, the kubelet would
# run that, too.
manifest=node/etc/kubernetes/manifests/kube-apiserver.yaml
sed \
  -e '/- --authorization-mode/i\    - --audit-policy-file=/etc/kubernetes/audit/policy.yaml\n    - --audit-log-path=/var/log/kubernetes/audit/audit.log\n    - --audit-log-maxage=10\n    - --audit-log-maxbackup=5\n    - --audit-log-maxsize=100' \
  -e '/^    volumeMounts:/a\    - mountPath: /etc/kubernetes/audit/policy.yaml\n      name: audit-policy\n      readOnly: true\n    - mountPath: /var/log/kubernetes/audit\n      name: audit-log' \
  -e '/^  volumes:/a\  - hostPath:\n      path: /etc/kubernetes/audit/policy.yaml\n      type: File\n    name: audit-policy\n  - hostPath:\n      path: /var/log/kubernetes/audit\n      type: DirectoryOrCreate\n    name: audit-log' \
  $manifest > kube-apiserver.new
cp kube-apiserver.new $manifest
# kubectl answers again when the API server is back. If it does not, look into
# node/var/log/kubelet.log, and into the newest log below node/var/log/pods.
