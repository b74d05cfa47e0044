#!/bin/sh -eu
# Rego v0, with a rule for each kind of container, and a function.
cat > registry.rego <<'REGO'
# METADATA
# title: hooli.example is not trusted
package kubernetes.admission

untrusted(image) {
	parts := split(image, "/")
	count(parts) > 1
	parts[0] == "hooli.example"
}

is_pod { input.request.resource.resource == "pods"; input.request.object != null }

deny[msg] { is_pod; untrusted(input.request.object.spec.containers[i].image); msg := text("container", input.request.object.spec.containers[i].image) }

deny[msg] { is_pod; untrusted(input.request.object.spec.initContainers[i].image); msg := text("init container", input.request.object.spec.initContainers[i].image) }

deny[msg] {
	is_pod
	image = input.request.object.spec.ephemeralContainers[_].image
	untrusted(image)
	msg = text("ephemeral container", image)
}

text(kind, image) = concat("", ["the ", kind, "'s image \"", image, "\" is from hooli.example"])
REGO
cat > podnames.rego <<'REGO'
package kubernetes.admission
default is_new = false
is_new = true { input.request.operation == "CREATE"; input.request.kind == {"group": "", "version": "v1", "kind": "Pod"} }

deny[sprintf("pod name '%s' is taken", [name])] {
  is_new
  name := input.request.object.metadata.name
  others := {n | n := data.kubernetes.pods[ns][_].metadata.name; ns != input.request.object.metadata.namespace}
  others[name]
}
REGO
opa check --v0-compatible registry.rego podnames.rego
