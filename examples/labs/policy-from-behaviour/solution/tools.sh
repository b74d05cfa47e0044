#!/bin/sh -eu
# What it was seen to do, each once.
grep '"namespace":"bank","pod":"ledger-' flows.jsonl |
  sed -E 's/.*"pktType":"([A-Z]+)","proto":"([A-Z]+)","port":([0-9]+),/\1 \2 \3 /; s/"remoteName":"[^"]*",//' | sort -u
cat > networkpolicy.yaml <<'POLICY'
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: ledger
  namespace: bank
spec:
  podSelector:
    matchLabels:
      app: ledger
  policyTypes:
  - Ingress
  - Egress
  ingress:
  - from:
    - podSelector:
        matchLabels:
          app: teller
    - namespaceSelector:
        matchLabels:
          kubernetes.io/metadata.name: batch
      podSelector:
        matchLabels:
          app: settlement
    ports:
    - protocol: TCP
      port: 8080
  - from:
    - namespaceSelector:
        matchLabels:
          kubernetes.io/metadata.name: monitoring
      podSelector:
        matchLabels:
          app: prometheus
    ports:
    - protocol: TCP
      port: 9100
  egress:
  - to:
    - podSelector:
        matchLabels:
          app: postgres
    ports:
    - protocol: TCP
      port: 5432
  - to:
    - namespaceSelector:
        matchLabels:
          kubernetes.io/metadata.name: kube-system
      podSelector:
        matchLabels:
          k8s-app: kube-dns
    ports:
    - protocol: UDP
      port: 53
    - protocol: TCP
      port: 53
  - to:
    - ipBlock:
        cidr: 198.51.100.30/32
    ports:
    - protocol: TCP
      port: 443
POLICY
# The names of its system calls: hooks of the kernel are none.
names=$(grep '"podNamespace":"bank","podName":"ledger-' trace.jsonl | sed 's/.*"eventName":"\([a-z0-9_]*\)".*/\1/' |
  grep -v '^security_\|^cap_\|^sched_process' | sort -u | sed 's/.*/"&"/' | paste -sd, -)
cat > ledger.json <<PROFILE
{
  "defaultAction": "SCMP_ACT_ERRNO",
  "architectures": ["SCMP_ARCH_X86_64"],
  "syscalls": [
    {"names": [$names], "action": "SCMP_ACT_ALLOW"}
  ]
}
PROFILE
