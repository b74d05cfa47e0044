#!/bin/sh -eu
# Rego v1 in code, with a library and a message for each label; as JSON; and both
# objects in one file, of which the other is a copy.
cat > template.yaml <<'TEMPLATE'
{"apiVersion": "templates.gatekeeper.sh/v1", "kind": "ConstraintTemplate", "metadata": {"name": "k8srequiredlabels", "annotations": {"description": "labels"}},
 "spec": {"crd": {"spec": {"names": {"kind": "K8sRequiredLabels"}, "validation": {"legacySchema": false, "openAPIV3Schema": {
   "type": "object", "required": ["labels"], "properties": {"labels": {"type": "array", "description": "what is asked for", "items": {"type": "string", "minLength": 1}}}}}}},
  "targets": [{"target": "admission.k8s.gatekeeper.sh", "code": [{"engine": "Rego", "source": {"version": "v1",
    "libs": ["package lib.words\n\nmissing(label) := concat(\" \", [\"give it a label\", label])\n"],
    "rego": "package required.labels\n\nimport data.lib.words\n\nviolation contains {\"msg\": words.missing(label)} if {\n\tsome label in input.parameters.labels\n\tobject.get(input.review.object, [\"metadata\", \"labels\", label], \"\") == \"\"\n}\n"}}]}]}}
TEMPLATE
cat > constraint.yaml <<'CONSTRAINT'
kind: K8sRequiredLabels
apiVersion: constraints.gatekeeper.sh/v1beta1
metadata: {name: namespace-owner}
spec:
  enforcementAction: deny
  parameters: {labels: [owner]}
  match:
    scope: Cluster
    kinds: [{apiGroups: ["", apps], kinds: [Namespace]}]
    namespaceSelector:
      matchExpressions:
      - {key: kubernetes.io/metadata.name, operator: NotIn, values: [kube-system, kube-public, kube-node-lease]}
    excludedNamespaces:
    - kube-*
CONSTRAINT
cp constraint.yaml both.yaml && { echo ---; cat template.yaml; } >> both.yaml && cp both.yaml template.yaml
