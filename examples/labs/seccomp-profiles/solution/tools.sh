#!/bin/sh -eu
printf '{\n  "defaultAction": "SCMP_ACT_LOG"\n}\n' > profiles/audit.json
printf '{\n  "defaultAction": "SCMP_ACT_ERRNO"\n}\n' > profiles/violation.json

# The names of the calls that the pod made, each once, as a list in JSON.
names=$(awk '$2 == "report-worker" { print $8 }' traces/report.trace | sort -u |
  grep -v -e '^security_' -e '^sched_process_' -e '^cap_capable$' |
  sed 's/.*/        "&"/' | paste -sd, - | sed 's/,/,\
/g')
cat > profiles/report.json <<JSON
{
  "defaultAction": "SCMP_ACT_ERRNO",
  "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"],
  "syscalls": [
    {
      "names": [
$names
      ],
      "action": "SCMP_ACT_ALLOW"
    }
  ]
}
JSON

cat > profiles/hardened.json <<'JSON'
{
  "defaultAction": "SCMP_ACT_ALLOW",
  "architectures": [
    "SCMP_ARCH_X86_64",
    "SCMP_ARCH_X86"
  ],
  "syscalls": [
    {
      "names": [
        "ptrace", "process_vm_readv", "process_vm_writev",
        "mount", "umount2", "pivot_root",
        "init_module", "finit_module", "delete_module", "kexec_load",
        "bpf", "keyctl", "unshare", "setns"
      ],
      "action": "SCMP_ACT_ERRNO"
    },
    {
      "names": ["clone"],
      "action": "SCMP_ACT_ERRNO",
      "args": [
        {"index": 0, "value": 268435456, "valueTwo": 268435456, "op": "SCMP_CMP_MASKED_EQ"}
      ]
    },
    {
      "names": ["clone3"],
      "action": "SCMP_ACT_ERRNO",
      "errnoRet": 38
    }
  ]
}
JSON

cat > report.yaml <<'YAML'
apiVersion: v1
kind: Pod
metadata:
  name: report
  namespace: batch
spec:
  hostname: report-worker
  securityContext:
    runAsUser: 1000
    seccompProfile:
      type: Localhost
      localhostProfile: profiles/report.json
  containers:
  - name: report
    image: registry.example.com/report:2.1
    securityContext:
      allowPrivilegeEscalation: false
  - name: shipper
    image: registry.example.com/shipper:0.8
    securityContext:
      seccompProfile:
        type: Localhost
        localhostProfile: profiles/audit.json
YAML
