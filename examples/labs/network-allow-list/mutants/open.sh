#!/bin/sh -eu
sed -i '/inside-the-cluster/,$s/  - to:/  - {}/; /- namespaceSelector: {}/d' policies.yaml
