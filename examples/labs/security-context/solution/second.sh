#!/bin/sh -eu
# JSON; each container says all for itself, and the pod has what containers cannot say,
# with a user that no container gets.
cat > deployment.yaml <<'MANIFEST'
{"kind": "Deployment", "apiVersion": "apps/v1", "metadata": {"namespace": "finance", "name": "reports"},
 "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "reports"}}, "template": {
  "metadata": {"labels": {"app": "reports"}},
  "spec": {
   "volumes": [{"name": "data", "emptyDir": {}}],
   "securityContext": {"fsGroup": 2000, "runAsUser": 4000},
   "containers": [
    {"name": "log-shipper", "image": "registry.example.com/logs/shipper:1.9",
     "securityContext": {"runAsUser": 1000, "runAsGroup": 3000, "runAsNonRoot": true, "privileged": false, "allowPrivilegeEscalation": false,
      "capabilities": {"drop": ["ALL"]}, "seccompProfile": {"type": "RuntimeDefault"}},
     "volumeMounts": [{"mountPath": "/data", "name": "data", "readOnly": true}]},
    {"name": "app", "image": "registry.example.com/finance/reports:4.2", "ports": [{"containerPort": 8080}],
     "securityContext": {"runAsUser": 1000, "runAsGroup": 3000, "runAsNonRoot": true, "allowPrivilegeEscalation": false,
      "capabilities": {"drop": ["ALL"]}, "seccompProfile": {"type": "RuntimeDefault"}},
     "volumeMounts": [{"mountPath": "/data", "name": "data"}]}],
   "initContainers": [
    {"name": "prepare", "image": "busybox:1.37", "command": ["mkdir", "-p", "/data/spool"],
     "securityContext": {"runAsUser": 1000, "runAsGroup": 3000, "runAsNonRoot": true, "allowPrivilegeEscalation": false,
      "capabilities": {"drop": ["ALL"]}, "seccompProfile": {"type": "RuntimeDefault"}},
     "volumeMounts": [{"mountPath": "/data", "name": "data"}]}]}}}}
MANIFEST
