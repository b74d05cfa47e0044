package lab

import (
	"fmt"
	"slices"
)

// goneVersion is a version of an API that is served no more. Source: the deprecation
// guide, kubernetes.io/docs/reference/using-api/deprecation-guide.
type goneVersion struct {
	apiVersion string
	kinds      []string
	since      string // the version of Kubernetes that serves it no more
	use        string
}

func goneVersions() []goneVersion {
	workloads := []string{"DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"}
	return []goneVersion{
		{"extensions/v1beta1", workloads, "1.16", "apps/v1"},
		{"apps/v1beta1", workloads, "1.16", "apps/v1"},
		{"apps/v1beta2", workloads, "1.16", "apps/v1"},
		{"extensions/v1beta1", []string{"NetworkPolicy"}, "1.16", "networking.k8s.io/v1"},
		{"extensions/v1beta1", []string{"PodSecurityPolicy"}, "1.16", podSecurityAdmission},
		{"extensions/v1beta1", []string{"Ingress"}, "1.22", "networking.k8s.io/v1"},
		{"networking.k8s.io/v1beta1", []string{"Ingress", "IngressClass"}, "1.22", "networking.k8s.io/v1"},
		{"admissionregistration.k8s.io/v1beta1", []string{"MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"}, "1.22", "admissionregistration.k8s.io/v1"},
		{"apiextensions.k8s.io/v1beta1", []string{"CustomResourceDefinition"}, "1.22", "apiextensions.k8s.io/v1"},
		{"apiregistration.k8s.io/v1beta1", []string{"APIService"}, "1.22", "apiregistration.k8s.io/v1"},
		{"certificates.k8s.io/v1beta1", []string{"CertificateSigningRequest"}, "1.22", "certificates.k8s.io/v1"},
		{"coordination.k8s.io/v1beta1", []string{"Lease"}, "1.22", "coordination.k8s.io/v1"},
		{"rbac.authorization.k8s.io/v1alpha1", []string{"ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"}, "1.22", "rbac.authorization.k8s.io/v1"},
		{"rbac.authorization.k8s.io/v1beta1", []string{"ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"}, "1.22", "rbac.authorization.k8s.io/v1"},
		{"scheduling.k8s.io/v1beta1", []string{"PriorityClass"}, "1.22", "scheduling.k8s.io/v1"},
		{"storage.k8s.io/v1beta1", []string{"CSIDriver", "CSINode", "StorageClass", "VolumeAttachment"}, "1.22", "storage.k8s.io/v1"},
		{"autoscaling/v2beta1", []string{"HorizontalPodAutoscaler"}, "1.25", "autoscaling/v2"},
		{"batch/v1beta1", []string{"CronJob"}, "1.25", "batch/v1"},
		{"discovery.k8s.io/v1beta1", []string{"EndpointSlice"}, "1.25", "discovery.k8s.io/v1"},
		{"node.k8s.io/v1beta1", []string{"RuntimeClass"}, "1.25", "node.k8s.io/v1"},
		{"policy/v1beta1", []string{"PodDisruptionBudget"}, "1.25", "policy/v1"},
		{"policy/v1beta1", []string{"PodSecurityPolicy"}, "1.25", podSecurityAdmission},
		{"autoscaling/v2beta2", []string{"HorizontalPodAutoscaler"}, "1.26", "autoscaling/v2"},
	}
}

// podSecurityAdmission is what came after PodSecurityPolicy.
const podSecurityAdmission = "Pod Security Admission: the labels enforce, audit and warn below pod-security.kubernetes.io/ of the namespace"

// gone says that a document is of a version that is served no more, and what to use.
func (d document) gone() string {
	for _, v := range goneVersions() {
		if v.apiVersion == d.APIVersion && slices.Contains(v.kinds, d.Kind) {
			return fmt.Sprintf("%s in %s is of %s, which Kubernetes serves no more since %s: use %s", d, d.file, d.APIVersion, v.since, v.use)
		}
	}
	return ""
}
