#!/bin/sh -eu
export KUBECONFIG=admin.conf
pkictl csr new dana --group shop-developers --key rsa-2048 --out dana
pkictl csr submit dana.csr --name dana --expiration 24h
pkictl csr approve dana --yes
pkictl csr wait dana --out dana.crt
pkictl kubeconfig create --cert dana.crt --key dana.key --namespace shop --out dana.conf

kubectl -n shop apply -f - <<'EOF'
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: developer}
rules:
- {apiGroups: [""], resources: [pods], verbs: [get, list, watch]}
- {apiGroups: [""], resources: [pods/log], verbs: [get]}
- {apiGroups: [apps], resources: [deployments], verbs: [get, list, watch, create, update]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: dana}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: developer}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: dana}]
EOF
pkictl kubeconfig check dana.conf --within 1h
