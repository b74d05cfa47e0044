#!/bin/sh -eu
export KUBECONFIG=admin.conf
mkdir -p webhook
openssl req -x509 -newkey rsa:2048 -nodes -keyout webhook/ca.key -out webhook/ca.crt -days 365 \
  -subj "/CN=image-policy-ca" -addext "keyUsage = critical,keyCertSign,cRLSign"
openssl req -newkey rsa:2048 -nodes -keyout webhook/tls.key -out webhook/tls.csr \
  -subj "/CN=image-policy.image-policy.svc"
cat > webhook/tls.ext <<'EOF'
subjectAltName = DNS:image-policy.image-policy.svc
extendedKeyUsage = serverAuth
basicConstraints = critical,CA:FALSE
EOF
openssl x509 -req -in webhook/tls.csr -CA webhook/ca.crt -CAkey webhook/ca.key -CAcreateserial \
  -days 90 -extfile webhook/tls.ext -out webhook/tls.crt

port=$(kubectl -n image-policy get service image-policy -o jsonpath='{.spec.ports[0].port}')
cat > webhook.yaml <<EOF
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata:
  name: image-policy
webhooks:
- name: image-policy.example.com
  admissionReviewVersions: [v1]
  sideEffects: None
  failurePolicy: Fail
  clientConfig:
    service:
      namespace: image-policy
      name: image-policy
      path: /validate
      port: $port
    caBundle: $(base64 < webhook/ca.crt | tr -d '\n')
  rules:
  - apiGroups: [""]
    apiVersions: [v1]
    operations: [CREATE, UPDATE]
    resources: [pods, pods/ephemeralcontainers]
    scope: Namespaced
  namespaceSelector:
    matchLabels:
      image-policy: enforced
EOF
kubectl apply -f webhook.yaml
