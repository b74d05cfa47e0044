package lab

import (
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation"
)

// podTemplate is a pod as its object describes it: a Pod, or what makes pods.
type podTemplate struct {
	document
	metav1.ObjectMeta // of the pod
	corev1.PodSpec
}

// podTemplate decodes the pod of a document, or says in found why an API server would
// not take it. There is none where the kind makes no pods.
func (d document) podTemplate() (pod *podTemplate, found string) {
	switch d.APIVersion + " " + d.Kind {
	case "v1 Pod":
		p, found := decodeAs[corev1.Pod](d)
		if found != "" {
			return nil, found
		}
		return d.checked(p.ObjectMeta, p.Spec, nil)
	case "apps/v1 Deployment":
		return template(d, func(o *appsv1.Deployment) (corev1.PodTemplateSpec, *metav1.LabelSelector) {
			return o.Spec.Template, orNothing(o.Spec.Selector)
		})
	case "apps/v1 ReplicaSet":
		return template(d, func(o *appsv1.ReplicaSet) (corev1.PodTemplateSpec, *metav1.LabelSelector) {
			return o.Spec.Template, orNothing(o.Spec.Selector)
		})
	case "apps/v1 StatefulSet":
		return template(d, func(o *appsv1.StatefulSet) (corev1.PodTemplateSpec, *metav1.LabelSelector) {
			return o.Spec.Template, orNothing(o.Spec.Selector)
		})
	case "apps/v1 DaemonSet":
		return template(d, func(o *appsv1.DaemonSet) (corev1.PodTemplateSpec, *metav1.LabelSelector) {
			return o.Spec.Template, orNothing(o.Spec.Selector)
		})
	case "batch/v1 Job":
		return template(d, func(o *batchv1.Job) (corev1.PodTemplateSpec, *metav1.LabelSelector) { return o.Spec.Template, nil })
	case "batch/v1 CronJob":
		return template(d, func(o *batchv1.CronJob) (corev1.PodTemplateSpec, *metav1.LabelSelector) {
			return o.Spec.JobTemplate.Spec.Template, nil
		})
	}
	return nil, d.fault()
}

// orNothing has a selector that must be there.
func orNothing(selector *metav1.LabelSelector) *metav1.LabelSelector {
	if selector == nil {
		return &metav1.LabelSelector{}
	}
	return selector
}

func template[T any](d document, of func(*T) (corev1.PodTemplateSpec, *metav1.LabelSelector)) (*podTemplate, string) {
	object, found := decodeAs[T](d)
	if found != "" {
		return nil, found
	}
	t, selector := of(object)
	return d.checked(t.ObjectMeta, t.Spec, selector)
}

// checked says what an API server refuses (pkg/apis/core/validation) of what people
// get wrong when they edit a pod by hand.
func (d document) checked(meta metav1.ObjectMeta, spec corev1.PodSpec, selector *metav1.LabelSelector) (*podTemplate, string) {
	pod := &podTemplate{d, meta, spec}
	for i, v := range pod.Volumes { // what an API server does first (pkg/apis/core/v1/defaults.go)
		if v.VolumeSource == (corev1.VolumeSource{}) {
			pod.Volumes[i].EmptyDir = &corev1.EmptyDirVolumeSource{}
		}
	}
	found := pod.containerFault()
	if found == "" {
		found = pod.volumeFault()
	}
	if found == "" && selector != nil {
		s, err := metav1.LabelSelectorAsSelector(selector)
		switch {
		case err != nil:
			found = err.Error()
		case s.Empty():
			found = "spec.selector is absent"
		case !s.Matches(labels.Set(meta.Labels)):
			found = "spec.selector does not match the labels of the template"
		}
	}
	if found != "" {
		return nil, fmt.Sprintf("%s in %s: %s", d, d.file, found)
	}
	return pod, ""
}

// podContainer is a container of any of a pod's three lists. Ephemeral ones have the
// same fields that matter here.
type podContainer struct {
	list string // containers, initContainers or ephemeralContainers
	corev1.Container
}

// all returns the containers of all lists.
func (p *podTemplate) all() []podContainer {
	var all []podContainer
	for _, c := range p.Containers {
		all = append(all, podContainer{"containers", c})
	}
	for _, c := range p.InitContainers {
		all = append(all, podContainer{"initContainers", c})
	}
	for _, c := range p.EphemeralContainers {
		all = append(all, podContainer{"ephemeralContainers", corev1.Container(c.EphemeralContainerCommon)})
	}
	return all
}

func (p *podTemplate) containerFault() string {
	if len(p.Containers) == 0 {
		return "the pod has no containers"
	}
	var names []string
	for _, c := range p.all() {
		switch {
		case len(validation.IsDNS1123Label(c.Name)) > 0:
			return fmt.Sprintf("%q is no name for a container", c.Name)
		case slices.Contains(names, c.Name):
			return "two containers are called " + c.Name
		case strings.TrimSpace(c.Image) != c.Image || c.Image == "":
			return fmt.Sprintf("container %s has the image %q", c.Name, c.Image)
		}
		names = append(names, c.Name)
		if found := securityContextFault(c.SecurityContext); found != "" {
			return "container " + c.Name + ": " + found
		}
	}
	if s := p.SecurityContext; s != nil {
		return idFault(s.RunAsUser, s.RunAsGroup, s.FSGroup)
	}
	return ""
}

// securityContextFault: pkg/apis/core/validation, ValidateSecurityContext.
func securityContextFault(s *corev1.SecurityContext) string {
	if s == nil {
		return ""
	}
	if s.AllowPrivilegeEscalation != nil && !*s.AllowPrivilegeEscalation && s.Privileged != nil && *s.Privileged {
		return "allowPrivilegeEscalation: false beside privileged: true is refused"
	}
	if s.Capabilities != nil {
		for _, c := range slices.Concat(s.Capabilities.Add, s.Capabilities.Drop) {
			if found := capabilityFault(string(c)); found != "" {
				return found
			}
		}
	}
	return idFault(s.RunAsUser, s.RunAsGroup)
}

// idFault: k8s.io/apimachinery/pkg/util/validation, IsValidUserID.
func idFault(ids ...*int64) string {
	for _, id := range ids {
		if id != nil && len(validation.IsValidUserID(*id)) > 0 {
			return fmt.Sprintf("%d is no ID of a user or group", *id)
		}
	}
	return ""
}

func (p *podTemplate) volumeFault() string {
	var volumes []string
	for _, v := range p.Volumes {
		if slices.Contains(volumes, v.Name) {
			return "two volumes are called " + v.Name
		}
		volumes = append(volumes, v.Name)
	}
	claims := p.Kind == "StatefulSet" // may have volumes that volumeClaimTemplates make
	for _, c := range p.all() {
		var paths []string
		for _, m := range c.VolumeMounts {
			switch {
			case !slices.Contains(volumes, m.Name) && !claims:
				return fmt.Sprintf("container %s mounts a volume %q, which the pod does not have", c.Name, m.Name)
			case m.MountPath == "":
				return fmt.Sprintf("container %s mounts the volume %s without mountPath", c.Name, m.Name)
			case slices.Contains(paths, m.MountPath):
				return fmt.Sprintf("container %s mounts two volumes at %s", c.Name, m.MountPath)
			}
			paths = append(paths, m.MountPath)
		}
	}
	return ""
}
