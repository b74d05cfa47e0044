#!/bin/sh -eu
# rules that say what the default says, one rule for each call, other errors, more
# architectures, the fields written out
echo '{"syscalls":[{"names":["read","write"],"action":"SCMP_ACT_LOG"}],"architectures":["SCMP_ARCH_X86_64","SCMP_ARCH_X32"],"defaultAction":"SCMP_ACT_LOG"}' > profiles/audit.json
printf '{"defaultAction": "SCMP_ACT_ERRNO",\r\n "defaultErrnoRet": 13, "architectures": [], "syscalls": []}\r\n' > profiles/violation.json
{
  printf '{"architectures":["SCMP_ARCH_X86","SCMP_ARCH_X86_64","SCMP_ARCH_X32","SCMP_ARCH_AARCH64"],"flags":["SECCOMP_FILTER_FLAG_LOG"],\n'
  printf '"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":1,"syscalls":[\n'
  printf '{"names":["ptrace","mount"],"action":"SCMP_ACT_ERRNO","errnoRet":1},\n'
  sed 1d traces/report.trace | grep ' report-worker ' | awk '$8 !~ /^(security|sched_process)_|^cap_capable$/ {print $8}' | sort -ru |
    while read -r call; do printf '{"names":["%s"],"action":"SCMP_ACT_ALLOW","args":[],"comment":"seen"},\n' "$call"; done
  printf '{"names":["read"],"action":"SCMP_ACT_LOG"}]}\n'
} > profiles/report.json
cat > profiles/hardened.json <<'JSON'
{"defaultAction": "SCMP_ACT_ALLOW",
 "architectures": ["SCMP_ARCH_X32", "SCMP_ARCH_X86", "SCMP_ARCH_ARM"],
 "syscalls": [
  {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38},
  {"names": ["clone3"], "action": "SCMP_ACT_KILL"},
  {"names": ["clone"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1, "args": [{"op": "SCMP_CMP_MASKED_EQ", "valueTwo": 268435456, "value": 268435456, "index": 0}]},
  {"names": ["setns", "unshare"], "action": "SCMP_ACT_ERRNO"},
  {"names": ["mount", "umount2", "pivot_root"], "action": "SCMP_ACT_ERRNO", "errnoRet": 13},
  {"names": ["delete_module", "finit_module", "init_module", "kexec_load"], "action": "SCMP_ACT_ERRNO"},
  {"names": ["ptrace", "process_vm_readv", "process_vm_writev", "bpf", "keyctl", "keyctl"], "action": "SCMP_ACT_ERRNO"},
  {"names": ["read"], "action": "SCMP_ACT_ALLOW"}
 ]}
JSON
cat > report.yaml <<'YAML'
{"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "report", "namespace": "batch"}, "spec": {"containers": [
  {"name": "shipper", "image": "registry.example.com/shipper:0.8", "securityContext": {"seccompProfile": {"type": "Localhost", "localhostProfile": "profiles/audit.json"}}},
  {"name": "report", "image": "registry.example.com/report:2.1", "securityContext": {"seccompProfile": {"type": "Localhost", "localhostProfile": "./profiles/report.json"}}}]}}
YAML
