#!/bin/sh -eu
sed -i.bak -e 's/"architectures": \[/"archMap": [{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": [/' \
  -e '/^    "SCMP_ARCH_X86_64",/d' -e 's/^  \],$/  ]}],/' profiles/hardened.json
