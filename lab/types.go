package lab

import (
	"fmt"
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	nodev1 "k8s.io/api/node/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
)

// apiType is a kind of object that labs know the fields of.
type apiType struct {
	apiVersion, kind string
	strict           func(d document) (found string) // why it is no such object
}

// apiTypes lists the kinds whose fields are checked. Of others, such as those of
// CustomResourceDefinitions, any field may be.
func apiTypes() []apiType {
	return []apiType{
		{"v1", "ConfigMap", strictly[corev1.ConfigMap]},
		{"v1", "LimitRange", strictly[corev1.LimitRange]},
		{"v1", "Namespace", strictly[corev1.Namespace]},
		{"v1", "PersistentVolumeClaim", strictly[corev1.PersistentVolumeClaim]},
		{"v1", "Pod", strictly[corev1.Pod]},
		{"v1", "ReplicationController", strictly[corev1.ReplicationController]},
		{"v1", "ResourceQuota", strictly[corev1.ResourceQuota]},
		{"v1", "Secret", strictly[corev1.Secret]},
		{"v1", "Service", strictly[corev1.Service]},
		{"v1", "ServiceAccount", strictly[corev1.ServiceAccount]},
		{"admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration", strictly[admissionv1.MutatingWebhookConfiguration]},
		{"admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy", strictly[admissionv1.ValidatingAdmissionPolicy]},
		{"admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicyBinding", strictly[admissionv1.ValidatingAdmissionPolicyBinding]},
		{"admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", strictly[admissionv1.ValidatingWebhookConfiguration]},
		{"apps/v1", "DaemonSet", strictly[appsv1.DaemonSet]},
		{"apps/v1", "Deployment", strictly[appsv1.Deployment]},
		{"apps/v1", "ReplicaSet", strictly[appsv1.ReplicaSet]},
		{"apps/v1", "StatefulSet", strictly[appsv1.StatefulSet]},
		{"batch/v1", "CronJob", strictly[batchv1.CronJob]},
		{"batch/v1", "Job", strictly[batchv1.Job]},
		{"certificates.k8s.io/v1", "CertificateSigningRequest", strictly[certificatesv1.CertificateSigningRequest]},
		{"networking.k8s.io/v1", "Ingress", strictly[networkingv1.Ingress]},
		{"networking.k8s.io/v1", "IngressClass", strictly[networkingv1.IngressClass]},
		{"networking.k8s.io/v1", "NetworkPolicy", strictly[networkingv1.NetworkPolicy]},
		{"node.k8s.io/v1", "RuntimeClass", strictly[nodev1.RuntimeClass]},
		{"policy/v1", "PodDisruptionBudget", strictly[policyv1.PodDisruptionBudget]},
		{"rbac.authorization.k8s.io/v1", "ClusterRole", strictly[rbacv1.ClusterRole]},
		{"rbac.authorization.k8s.io/v1", "ClusterRoleBinding", strictly[rbacv1.ClusterRoleBinding]},
		{"rbac.authorization.k8s.io/v1", "Role", strictly[rbacv1.Role]},
		{"rbac.authorization.k8s.io/v1", "RoleBinding", strictly[rbacv1.RoleBinding]},
	}
}

func strictly[T any](d document) string {
	_, found := decodeAs[T](d)
	return found
}

// fault says why an API server of today would refuse a document before it looks at
// what its fields say: its version is gone, or a field is misspelt or of another type.
func (d document) fault() string {
	if found := d.gone(); found != "" {
		return found
	}
	types := apiTypes()
	for _, t := range types {
		if t.apiVersion == d.APIVersion && t.kind == d.Kind {
			return t.strict(d)
		}
	}
	// A version that has never been, such as v1 for a Deployment.
	at := slices.IndexFunc(types, func(t apiType) bool { return t.kind == d.Kind })
	if at >= 0 && isOfKubernetes(d.APIVersion) {
		return fmt.Sprintf("%s in %s: %s has no %s, it is in %s", d, d.file, d.APIVersion, d.Kind, types[at].apiVersion)
	}
	return ""
}

// isOfKubernetes says whether an API group is Kubernetes' own: those with a name that
// has no dot, and those below k8s.io.
func isOfKubernetes(apiVersion string) bool {
	group, _, _ := strings.Cut(apiVersion, "/")
	return !strings.Contains(group, ".") || strings.HasSuffix(group, ".k8s.io")
}
