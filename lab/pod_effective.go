package lab

import (
	"encoding/json"

	corev1 "k8s.io/api/core/v1"
)

// securityOf returns what a container ends up with, of the pod's and its own security
// context together, as the kubelet puts them together
// (pkg/securitycontext/util.go: DetermineEffectiveSecurityContext, and for seccomp and
// AppArmor pkg/kubelet/kuberuntime/security_context.go): what the container says
// counts before what the pod says, field by field, and a profile as a whole.
func (p *podTemplate) securityOf(c corev1.Container) corev1.SecurityContext {
	var s corev1.SecurityContext
	if c.SecurityContext != nil {
		s = *c.SecurityContext
	}
	pod := p.SecurityContext
	if pod == nil {
		return s
	}
	s.SELinuxOptions = first(s.SELinuxOptions, pod.SELinuxOptions)
	s.RunAsUser = first(s.RunAsUser, pod.RunAsUser)
	s.RunAsGroup = first(s.RunAsGroup, pod.RunAsGroup)
	s.RunAsNonRoot = first(s.RunAsNonRoot, pod.RunAsNonRoot)
	s.SeccompProfile = first(s.SeccompProfile, pod.SeccompProfile)
	s.AppArmorProfile = first(s.AppArmorProfile, pod.AppArmorProfile)
	return s
}

// first returns the first of two that is there.
func first[T any](a, b *T) *T {
	if a != nil {
		return a
	}
	return b
}

func isTrue(b *bool) bool { return b != nil && *b }

// mayBeRoot says whether the process of a container can be that of user 0. Without
// runAsUser the image says the user, and with runAsNonRoot the kubelet starts it only
// if that is another.
func mayBeRoot(s corev1.SecurityContext) bool {
	if s.RunAsUser != nil {
		return *s.RunAsUser == 0
	}
	return !isTrue(s.RunAsNonRoot)
}

// effective is what conditions look at of a container: its name, image, list
// (containers, initContainers or ephemeralContainers) and volumeMounts, and of its
// security context what it ends up with:
//
//	privileged, readOnlyRootFilesystem   true or false
//	allowPrivilegeEscalation             true or false; true where nobody says no
//	capabilities                         all that it has, those of the runtime included
//	mayBeRoot                            true or false: whether it can run as user 0
//	runAsUser, runAsGroup, runAsNonRoot, procMount, seccompProfile, appArmorProfile,
//	seLinuxOptions                       of the pod or the container, absent if of neither
func (p *podTemplate) effective(c podContainer) (object, error) {
	s := p.securityOf(c.Container)
	privileged := isTrue(s.Privileged)
	it := map[string]any{
		"name": c.Name, "image": c.Image, "list": c.list, "volumeMounts": c.VolumeMounts,
		"privileged":               privileged,
		"readOnlyRootFilesystem":   isTrue(s.ReadOnlyRootFilesystem),
		"allowPrivilegeEscalation": s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation,
		"capabilities":             capabilitiesOf(s.Capabilities, privileged),
		"mayBeRoot":                mayBeRoot(s),
		"runAsUser":                s.RunAsUser, "runAsGroup": s.RunAsGroup, "runAsNonRoot": s.RunAsNonRoot, "procMount": s.ProcMount,
		"seccompProfile": s.SeccompProfile, "appArmorProfile": s.AppArmorProfile, "seLinuxOptions": s.SELinuxOptions,
	}
	data, err := json.Marshal(it)
	if err != nil {
		return nil, err
	}
	v, err := decodeJSON(data)
	decoded, _ := v.(object)
	return decoded, err
}
