#!/bin/sh -eu
export KUBECONFIG=admin.conf
mkdir -p webhook
pkictl init-ca --cn image-policy-ca
pkictl issue --profile server --cn image-policy.image-policy.svc --out webhook/tls
cp pki/ca.crt webhook/ca.crt

port=$(kubectl -n image-policy get service image-policy -o jsonpath='{.spec.ports[0].port}')
cat > webhook.yaml <<EOF
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: image-policy}
webhooks:
- name: image-policy.example.com
  admissionReviewVersions: [v1]
  sideEffects: None
  failurePolicy: Fail
  clientConfig:
    service: {namespace: image-policy, name: image-policy, path: /validate, port: $port}
    caBundle: $(base64 < webhook/ca.crt | tr -d '\n')
  rules:
  - {apiGroups: [""], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [pods, pods/ephemeralcontainers]}
  namespaceSelector: {matchLabels: {image-policy: enforced}}
EOF
kubectl apply -f webhook.yaml
