#!/bin/sh -eu
# JSON in a list, quantities in other units, the other order, a toleration more
cat > runtimeclasses.yaml <<'YAML'
{"apiVersion": "v1", "kind": "List", "items": [
 {"handler": "kata-qemu", "kind": "RuntimeClass", "apiVersion": "node.k8s.io/v1", "metadata": {"name": "kata"},
  "overhead": {"podFixed": {"cpu": 0.25, "memory": "163840Ki"}}},
 {"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": "gvisor", "labels": {"sandbox": "yes"}},
  "scheduling": {"nodeSelector": {"sandbox": "gvisor"}, "tolerations": [{"key": "sandbox", "operator": "Exists"}]}, "handler": "runsc"}]}
YAML
sed -e '/nodeName: node-7/d' -e 's/runtimeClassName: runsc/runtimeClassName: "gvisor"/' -e '/^  runtimeClassName: gvisor/d' \
  -e 's/^    spec:$/    spec: # of each pod\
      runtimeClassName: '"'kata'"'/' workloads.yaml | sed 's/$/\r/' > crlf
mv crlf workloads.yaml
