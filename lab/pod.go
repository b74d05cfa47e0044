package lab

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
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
	found := pod.fault()
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
