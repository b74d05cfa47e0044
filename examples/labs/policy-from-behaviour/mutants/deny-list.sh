#!/bin/sh -eu
cat > ledger.json <<'PROFILE'
{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
  {"names": ["ptrace", "mount", "umount2", "bpf", "unshare", "setns", "reboot", "kexec_load"], "action": "SCMP_ACT_ERRNO"}
]}
PROFILE
