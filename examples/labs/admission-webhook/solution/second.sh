#!/bin/sh -eu
# keys on curves, an intermediate CA that the webhook presents, more names, two webhooks that match more than is asked for, in JSON
export KUBECONFIG=admin.conf
mkdir webhook
cat > ca.ext <<'EOF'
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign
EOF
openssl ecparam -name prime256v1 -genkey -noout -out root.key
openssl req -new -key root.key -subj "/O=Harbor Foods/CN=webhooks" -out root.csr
openssl x509 -req -in root.csr -signkey root.key -days 3650 -extfile ca.ext -out webhook/ca.crt
openssl ecparam -name prime256v1 -genkey -noout -out issuing.key
openssl req -new -key issuing.key -subj "/O=Harbor Foods/CN=webhooks 1" -out issuing.csr
openssl x509 -req -in issuing.csr -CA webhook/ca.crt -CAkey root.key -set_serial 1 -days 365 -extfile ca.ext -out issuing.crt
openssl ecparam -name secp384r1 -genkey -out webhook/tls.key
openssl req -new -key webhook/tls.key -subj "/O=Harbor Foods" -out tls.csr
printf 'subjectAltName = critical,DNS:image-policy.image-policy.svc.cluster.local,DNS:image-policy.image-policy.svc,DNS:localhost\n' > tls.ext
openssl x509 -req -in tls.csr -CA issuing.crt -CAkey issuing.key -set_serial 2 -days 30 -extfile tls.ext -out webhook/tls.crt
cat issuing.crt >> webhook/tls.crt
service="{\"namespace\": \"image-policy\", \"name\": \"image-policy\", \"path\": \"/validate\", \"port\": $(kubectl -n image-policy get svc image-policy -o jsonpath='{.spec.ports[0].port}')}"
common="\"clientConfig\": {\"service\": $service, \"caBundle\": \"$(base64 -w 0 webhook/ca.crt)\"}, \"sideEffects\": \"None\",
  \"admissionReviewVersions\": [\"v1\", \"v1beta1\"], \"timeoutSeconds\": 5, \"matchPolicy\": \"Equivalent\",
  \"namespaceSelector\": {\"matchExpressions\": [{\"key\": \"image-policy\", \"operator\": \"In\", \"values\": [\"enforced\"]}]}"
cat > webhook.yaml <<EOF
{"kind": "ValidatingWebhookConfiguration", "apiVersion": "admissionregistration.k8s.io/v1", "metadata": {"name": "image-policy"}, "webhooks": [
  {"name": "pods.example.com", $common, "rules": [{"operations": ["*"], "apiGroups": ["*"], "apiVersions": ["*"], "resources": ["pods"]}]},
  {"name": "debug.example.com", $common, "rules": [{"operations": ["UPDATE"], "apiGroups": [""], "apiVersions": ["*"], "resources": ["pods/ephemeralcontainers"]}]}]}
EOF
kubectl create -f webhook.yaml
