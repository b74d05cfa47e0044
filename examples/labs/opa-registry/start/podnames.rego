package kubernetes.admission

import data.kubernetes.pods

deny[msg] {
	input.request.kind.kind == "Pod"
	name := input.request.object.metadata.name
	name == pods[_][_].metadata.name
	msg := sprintf("there is a pod %v already")
}
