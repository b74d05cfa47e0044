#!/bin/sh -eu
cat > registry.rego <<'REGO'
package kubernetes.admission

deny contains msg if {
	input.request.kind.kind == "Pod"
	input.request.operation in {"CREATE", "UPDATE"}
	some field in ["containers", "initContainers", "ephemeralContainers"]
	some container in input.request.object.spec[field]
	startswith(container.image, "hooli.example/")
	msg := sprintf("image %v comes from an untrusted registry", [container.image])
}
REGO
cat > podnames.rego <<'REGO'
package kubernetes.admission

import data.kubernetes.pods

deny contains msg if {
	input.request.kind.kind == "Pod"
	input.request.operation == "CREATE"
	name := input.request.object.metadata.name
	some namespace
	pods[namespace][name]
	namespace != input.request.namespace
	msg := sprintf("there is a pod %v already, in namespace %v", [name, namespace])
}
REGO
opa check registry.rego podnames.rego
opa eval --format pretty --data registry.rego --data podnames.rego --data data.json \
  --input review.json data.kubernetes.admission.deny
