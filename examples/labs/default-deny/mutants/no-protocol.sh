#!/bin/sh -eu
sed -i '/protocol: UDP/,$d' policies.yaml
echo '    - port: 53' >> policies.yaml
