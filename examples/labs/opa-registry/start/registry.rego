// No images from there, please.
package kubernetes.admission

deny[msg] {
	input.request.kind.kind == "Pod"
	image := input.request.object.spec.containers[_].image
	startswith(image, "hooli.example")
	msg := sprintf("image %v comes from an untrusted registry", [image])
}
