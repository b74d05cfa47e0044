package lab

import (
	"cmp"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
)

// What follows says of what people get wrong when they edit a pod by hand that an API
// server refuses it, as pkg/apis/core/validation/validation.go does.

// fault is the first of them, empty if there is none.
func (p *podTemplate) fault() string {
	for _, look := range []func() string{p.podFault, p.containerFault, p.volumeFault, p.mountFault} {
		if found := look(); found != "" {
			return found
		}
	}
	return ""
}

// podFault is about what is of no container and no volume.
func (p *podTemplate) podFault() string {
	if len(p.Containers) == 0 {
		return "the pod has no containers"
	}
	if name := p.document.Name; len(validation.IsDNS1123Subdomain(name)) > 0 && p.GenerateName == "" {
		return fmt.Sprintf("metadata.name is %q, which is no name", name)
	}
	for name, value := range p.Labels {
		if len(validation.IsQualifiedName(name))+len(validation.IsValidLabelValue(value)) > 0 {
			return fmt.Sprintf("%s: %q is no label", name, value)
		}
	}
	if p.OS != nil && p.OS.Name != corev1.Linux {
		return fmt.Sprintf("spec.os.name is %s, and its fields are Linux's", p.OS.Name)
	}
	policies := []corev1.RestartPolicy{"", corev1.RestartPolicyAlways, corev1.RestartPolicyOnFailure, corev1.RestartPolicyNever}
	switch p.Kind {
	case "Pod":
	case "Job", "CronJob": // of which Always, the default, is none
		policies = policies[2:]
	default:
		policies = policies[:2]
	}
	if !slices.Contains(policies, p.RestartPolicy) {
		return fmt.Sprintf("restartPolicy %q is none for a %s", p.RestartPolicy, p.Kind)
	}
	s := p.SecurityContext
	if s == nil {
		return ""
	}
	if found := idFault(s.RunAsUser, s.RunAsGroup, s.FSGroup); found != "" {
		return found
	}
	return profilesFault(s.SeccompProfile, s.AppArmorProfile)
}

// profilesFault: ValidateSeccompProfileField and ValidateAppArmorProfileField.
func profilesFault(seccomp *corev1.SeccompProfile, appArmor *corev1.AppArmorProfile) string {
	if seccomp != nil {
		file := deref(seccomp.LocalhostProfile)
		found := profileFault("seccompProfile", string(seccomp.Type), seccomp.LocalhostProfile)
		switch {
		case found != "":
			return found
		case path.IsAbs(file):
			return fmt.Sprintf("localhostProfile %s is absolute, and must be relative to the kubelet's directory for seccomp", file)
		case leavesDir(file):
			return fmt.Sprintf("localhostProfile %s has .. in it", file)
		}
	}
	if appArmor != nil {
		if found := profileFault("appArmorProfile", string(appArmor.Type), appArmor.LocalhostProfile); found != "" {
			return found
		}
		if name := deref(appArmor.LocalhostProfile); name != strings.TrimSpace(name) {
			return fmt.Sprintf("localhostProfile %q has spaces around it", name)
		}
	}
	return ""
}

func profileFault(field, kind string, name *string) string {
	types := []string{string(corev1.SeccompProfileTypeRuntimeDefault), string(corev1.SeccompProfileTypeUnconfined), string(corev1.SeccompProfileTypeLocalhost)}
	switch isLocal := kind == types[2]; {
	case !slices.Contains(types, kind):
		return fmt.Sprintf("%s has the type %q; there are %s", field, kind, strings.Join(types, ", "))
	case isLocal && strings.TrimSpace(deref(name)) == "":
		return field + " has the type Localhost and no localhostProfile"
	case !isLocal && name != nil:
		return fmt.Sprintf("%s has the type %s and a localhostProfile, which is for Localhost alone", field, kind)
	}
	return ""
}

// leavesDir: validateLocalDescendingPath.
func leavesDir(file string) bool {
	return path.IsAbs(file) || slices.Contains(strings.Split(file, "/"), "..")
}

func (p *podTemplate) containerFault() string {
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
		found := cmp.Or(securityContextFault(c.SecurityContext), portFault(c.Ports), resourceFault(c.Resources), pullFault(c.ImagePullPolicy))
		if c.SecurityContext != nil && c.SecurityContext.ProcMount != nil && *c.SecurityContext.ProcMount == corev1.UnmaskedProcMount && (p.HostUsers == nil || *p.HostUsers) {
			found = "procMount: Unmasked is taken with hostUsers: false alone"
		}
		if found != "" {
			return "container " + c.Name + ": " + found
		}
	}
	return ""
}

func pullFault(policy corev1.PullPolicy) string {
	if slices.Contains([]corev1.PullPolicy{"", corev1.PullAlways, corev1.PullIfNotPresent, corev1.PullNever}, policy) {
		return ""
	}
	return fmt.Sprintf("there is no imagePullPolicy %q", policy)
}

func portFault(ports []corev1.ContainerPort) string {
	for _, port := range ports {
		if len(validation.IsValidPortNum(int(port.ContainerPort))) > 0 || port.HostPort != 0 && len(validation.IsValidPortNum(int(port.HostPort))) > 0 {
			return fmt.Sprintf("%d is no port", max(port.ContainerPort, port.HostPort))
		}
	}
	return ""
}

func resourceFault(r corev1.ResourceRequirements) string {
	for _, list := range []corev1.ResourceList{r.Limits, r.Requests} {
		for name, amount := range list {
			known := strings.Contains(string(name), "/") || strings.HasPrefix(string(name), corev1.ResourceHugePagesPrefix) ||
				slices.Contains([]corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory, corev1.ResourceEphemeralStorage}, name)
			if !known {
				return fmt.Sprintf("there is no resource %s", name)
			}
			if amount.Sign() < 0 {
				return fmt.Sprintf("%s of %s is negative", amount.String(), name)
			}
		}
	}
	for name, amount := range r.Requests {
		if limit, ok := r.Limits[name]; ok && amount.Cmp(limit) > 0 {
			return fmt.Sprintf("it requests %s of %s, and its limit is %s", amount.String(), name, limit.String())
		}
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
	return cmp.Or(idFault(s.RunAsUser, s.RunAsGroup), profilesFault(s.SeccompProfile, s.AppArmorProfile))
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
	var names []string
	for _, v := range p.Volumes {
		switch {
		case len(validation.IsDNS1123Label(v.Name)) > 0:
			return fmt.Sprintf("%q is no name for a volume", v.Name)
		case slices.Contains(names, v.Name):
			return "two volumes are called " + v.Name
		case sources(v) > 1:
			return fmt.Sprintf("volume %s is of %d types at once", v.Name, sources(v))
		case v.HostPath != nil && (v.HostPath.Path == "" || slices.Contains(strings.Split(v.HostPath.Path, "/"), "..")):
			return fmt.Sprintf("hostPath of volume %s has the path %q", v.Name, v.HostPath.Path)
		case v.ConfigMap != nil && v.ConfigMap.Name == "":
			return "configMap of volume " + v.Name + " has no name"
		case v.Secret != nil && v.Secret.SecretName == "":
			return "secret of volume " + v.Name + " has no secretName"
		}
		names = append(names, v.Name)
	}
	return ""
}

// sources says of how many types a volume is.
func sources(v corev1.Volume) int {
	data, err := json.Marshal(v.VolumeSource)
	if err != nil {
		return 0
	}
	var types map[string]json.RawMessage
	_ = json.Unmarshal(data, &types) // which was just made
	return len(types)
}

func (p *podTemplate) mountFault() string {
	claims := p.Kind == "StatefulSet" // may have volumes that volumeClaimTemplates make
	hasVolume := func(name string) bool {
		return slices.ContainsFunc(p.Volumes, func(v corev1.Volume) bool { return v.Name == name })
	}
	for _, c := range p.all() {
		var paths []string
		for _, m := range c.VolumeMounts {
			switch {
			case !claims && !hasVolume(m.Name):
				return fmt.Sprintf("container %s mounts a volume %q, which the pod does not have", c.Name, m.Name)
			case m.MountPath == "":
				return fmt.Sprintf("container %s mounts the volume %s without mountPath", c.Name, m.Name)
			case slices.Contains(paths, m.MountPath):
				return fmt.Sprintf("container %s mounts two volumes at %s", c.Name, m.MountPath)
			case leavesDir(m.SubPath):
				return fmt.Sprintf("container %s mounts the subPath %q", c.Name, m.SubPath)
			}
			paths = append(paths, m.MountPath)
		}
	}
	return ""
}
