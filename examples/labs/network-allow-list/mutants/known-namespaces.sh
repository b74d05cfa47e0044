#!/bin/sh -eu
sed -i 's/- namespaceSelector: {}/- namespaceSelector: {matchExpressions: [{key: kubernetes.io\/metadata.name, operator: In, values: [default, kube-system, monitoring, staging, web]}]}/' policies.yaml
