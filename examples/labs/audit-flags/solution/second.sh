#!/bin/sh
# The directory is mounted instead of the file, at another place in the container; the
# manifest becomes JSON, and arrives in one step.
manifest=node/etc/kubernetes/manifests/kube-apiserver.yaml
kubectl patch --local -f $manifest --type json -o json -p '[
  {"op": "add", "path": "/spec/containers/0/args", "value": [
    "--audit-log-maxsize=100", "--audit-log-maxbackup=5", "--audit-log-maxage=10",
    "--audit-log-path=/logs/audit.log", "--audit-policy-file=/audit/policy.yaml"]},
  {"op": "add", "path": "/spec/volumes/-", "value": {"name": "p", "hostPath": {"path": "/etc/kubernetes/audit/"}}},
  {"op": "add", "path": "/spec/volumes/-", "value": {"name": "l", "hostPath": {"path": "/var/log/kubernetes/audit", "type": "DirectoryOrCreate"}}},
  {"op": "add", "path": "/spec/containers/0/volumeMounts/-", "value": {"name": "p", "mountPath": "/audit", "readOnly": true}},
  {"op": "add", "path": "/spec/containers/0/volumeMounts/-", "value": {"name": "l", "mountPath": "/logs/"}}
]' > new.json
mv new.json $manifest
