#!/bin/sh -eu
export KUBECONFIG=admin.conf
kubectl get clusterrolebindings,rolebindings -A -o wide | grep -E 'reporter|serviceaccounts:reports'
kubectl delete clusterrolebinding reporter-admin
kubectl -n billing delete rolebinding import-2019

cat > role.yaml <<'EOF'
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: reporter
  namespace: reports
rules:
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch]
- apiGroups: [""]
  resources: [pods/log]
  verbs: [get]
- apiGroups: [batch]
  resources: [cronjobs]
  verbs: [get, list]
- apiGroups: [""]
  resources: [configmaps]
  resourceNames: [report-state]
  verbs: [get, update]
EOF
kubectl apply -f role.yaml
kubectl -n reports create rolebinding reporter --role=reporter --serviceaccount=reports:reporter

kubectl -n reports patch serviceaccount reporter -p '{"automountServiceAccountToken": false}'
kubectl -n reports patch serviceaccount web -p '{"automountServiceAccountToken": false}'
kubectl -n reports patch deployment report-builder \
  -p '{"spec": {"template": {"spec": {"automountServiceAccountToken": true}}}}'
kubectl -n reports patch deployment site \
  -p '{"spec": {"template": {"spec": {"automountServiceAccountToken": null}}}}'
kubectl auth can-i --list --as system:serviceaccount:reports:reporter -n reports
