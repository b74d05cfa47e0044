#!/bin/sh -eu
# A policy for each direction, ports by their names, the probes of the nodes as recorded,
# and a profile that kills, with one element for each system call.
cat > networkpolicy.yaml <<'POLICIES'
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: ledger-out, namespace: bank}
spec: {
  podSelector: {matchExpressions: [{key: app, operator: In, values: [ledger]}]}, policyTypes: [Egress], egress: [
    {to: [{ipBlock: {cidr: 198.51.100.30/32}}], ports: [{port: 443, endPort: 443}]},
    {to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: bank}}, podSelector: {matchLabels: {app: postgres}}}], ports: [{port: postgres}]},
    {ports: [{port: dns, protocol: UDP}, {port: dns-tcp}], to: [{
      podSelector: {matchLabels: {k8s-app: kube-dns}}, namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}}]}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  namespace: bank
  name: ledger-in
spec:
  podSelector: {matchLabels: {app: ledger}}
  ingress:
  - ports: [{port: metrics}]
    from: [{podSelector: {matchLabels: {app: prometheus}}, namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: monitoring}}}]
  - ports: [{port: http}]
    from: [{podSelector: {matchLabels: {app: settlement}}, namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: batch}}}]
  - ports: [{port: http}]
    from: [{podSelector: {matchLabels: {app: teller}}}]
  - ports: [{port: probes}]
    from: [{ipBlock: {cidr: 192.168.0.11/32}}, {ipBlock: {cidr: 192.168.0.12/32}}]
POLICIES
{
  printf '{"defaultAction": "SCMP_ACT_KILL_PROCESS", "syscalls": [\n'
  grep '"podName":"ledger-66d9f8c7b5-' trace.jsonl | grep -o '"eventName":"[a-z0-9_]*"' | cut -d'"' -f4 | sort -ru |
    grep -vx 'security_.*\|cap_capable\|sched_process_exec' | sed 's/.*/  {"names": ["&"], "action": "SCMP_ACT_ALLOW"},/'
  printf '  {"names": ["read"], "action": "SCMP_ACT_ALLOW"}\n]}\n'
} > ledger.json
