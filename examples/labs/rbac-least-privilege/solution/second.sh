#!/bin/sh -eu
# roles of the cluster that are bound in the namespace, one for each thing; false in place of nothing
export KUBECONFIG=admin.conf
kubectl -n reports get deployment site -o json | sed 's/"automountServiceAccountToken": true/"automountServiceAccountToken": false/' | kubectl replace -f -
kubectl -n reports get sa -o json > accounts.json
for name in web reporter; do
  printf '{"apiVersion": "v1", "kind": "ServiceAccount", "automountServiceAccountToken": false, "metadata": {"namespace": "reports", "name": "%s"}}' $name |
    kubectl apply -f -
done
kubectl -n reports patch deployment report-builder --type json \
  -p '[{"op": "add", "path": "/spec/template/spec/automountServiceAccountToken", "value": true}]'
kubectl create clusterrole watch-pods --verb=get,list,watch --resource=pods
kubectl create clusterrole read-logs --verb=get --resource=pods/log
kubectl create role -n reports cronjobs --verb=get,list --resource=cronjobs.batch
kubectl create role -n reports state --verb=get,update --resource=configmaps --resource-name=report-state
for role in clusterrole=watch-pods clusterrole=read-logs role=cronjobs role=state; do
  kubectl create rolebinding -n reports "reporter-${role#*=}" "--$role" --serviceaccount=reports:reporter
done
kubectl delete clusterrolebinding reporter-admin
kubectl -n billing patch rolebinding import-2019 --type merge -p '{"subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "ledger-import"}]}'
