package lab

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	kjson "sigs.k8s.io/json"
)

// kubesecRule is a rule by which kubesec scores an object. Its points count once,
// however many containers meet it, and one is enough. Rules with negative points are
// what kubesec calls critical.
type kubesecRule struct {
	id, selector string
	points       int
	meets        func(s *kubesecObject) bool
}

// kubesecObject is what kubesec looks at: a Pod, Deployment, StatefulSet or DaemonSet.
type kubesecObject struct {
	*podTemplate
	annotations map[string]string // of the object, not of the pods that it makes
	claims      []corev1.PersistentVolumeClaim
}

// kubesecRules are those of kubesec 2.14.2 (controlplaneio/kubesec, pkg/ruler/
// ruleset.go and pkg/rules), in its order. The annotations for seccomp and AppArmor
// are read by no Kubernetes of today.
func kubesecRules() []kubesecRule {
	return slices.Concat(kubesecHost(), kubesecContainer(), kubesecResources(), kubesecObjectRules())
}

func kubesecHost() []kubesecRule {
	return []kubesecRule{
		{"HostNetwork", ".spec .hostNetwork == true", -9, func(s *kubesecObject) bool { return s.HostNetwork }},
		{"HostPID", ".spec .hostPID == true", -9, func(s *kubesecObject) bool { return s.HostPID }},
		{"HostIPC", ".spec .hostIPC == true", -9, func(s *kubesecObject) bool { return s.HostIPC }},
		{"DockerSock", "volumes[] .hostPath .path == /var/run/docker.sock", -9, func(s *kubesecObject) bool { return s.hasHostPath("/var/run/docker.sock") }},
		{"ProcMount", "volumes[] .hostPath .path == /proc", -9, func(s *kubesecObject) bool { return s.hasHostPath("/proc") }},
		{"HostAliases", ".spec .hostAliases", -3, func(s *kubesecObject) bool { return s.HostAliases != nil }},
	}
}

func kubesecContainer() []kubesecRule {
	// Those that kubesec looks for in the pod, too.
	above := func(id *int64) bool { return id != nil && *id > 10000 }
	effective := func(meets func(corev1.SecurityContext) bool) func(*kubesecObject) bool {
		return func(s *kubesecObject) bool {
			return slices.ContainsFunc(s.scored(), func(c corev1.Container) bool { return meets(s.securityOf(c)) })
		}
	}
	// Those of containers alone.
	own := func(meets func(corev1.SecurityContext) bool) func(*kubesecObject) bool {
		return func(s *kubesecObject) bool {
			return slices.ContainsFunc(s.scored(), func(c corev1.Container) bool { return c.SecurityContext != nil && meets(*c.SecurityContext) })
		}
	}
	return []kubesecRule{
		{"ReadOnlyRootFilesystem", "containers[] .securityContext .readOnlyRootFilesystem == true", 1, own(func(c corev1.SecurityContext) bool { return isTrue(c.ReadOnlyRootFilesystem) })},
		{"RunAsNonRoot", ".spec, .spec.containers[] | .securityContext .runAsNonRoot == true", 1, effective(func(c corev1.SecurityContext) bool { return isTrue(c.RunAsNonRoot) })},
		{"RunAsUser", ".spec, .spec.containers[] | .securityContext .runAsUser -gt 10000", 1, effective(func(c corev1.SecurityContext) bool { return above(c.RunAsUser) })},
		{"RunAsGroup", ".spec, .spec.containers[] | .securityContext .runAsGroup -gt 10000", 1, effective(func(c corev1.SecurityContext) bool { return above(c.RunAsGroup) })},
		{"Privileged", "containers[] .securityContext .privileged == true", -30, own(func(c corev1.SecurityContext) bool { return isTrue(c.Privileged) })},
		{"CapSysAdmin", "containers[] .securityContext .capabilities .add == SYS_ADMIN", -30, own(func(c corev1.SecurityContext) bool {
			return c.Capabilities != nil && slices.ContainsFunc(c.Capabilities.Add, func(name corev1.Capability) bool { return strings.Contains(string(name), "SYS_ADMIN") })
		})},
		{"CapDropAny", "containers[] .securityContext .capabilities .drop", 1, own(func(c corev1.SecurityContext) bool { return c.Capabilities != nil && len(c.Capabilities.Drop) > 0 })},
		{"CapDropAll", `containers[] .securityContext .capabilities .drop | index("ALL")`, 1, own(func(c corev1.SecurityContext) bool {
			return c.Capabilities != nil && slices.ContainsFunc(c.Capabilities.Drop, func(name corev1.Capability) bool { return strings.EqualFold(string(name), allCapability) })
		})},
		{"AllowPrivilegeEscalation", "containers[] .securityContext .allowPrivilegeEscalation == true", -7, own(func(c corev1.SecurityContext) bool { return isTrue(c.AllowPrivilegeEscalation) })},
	}
}

func kubesecResources() []kubesecRule {
	has := func(of func(corev1.ResourceRequirements) corev1.ResourceList, name corev1.ResourceName) func(*kubesecObject) bool {
		return func(s *kubesecObject) bool {
			return slices.ContainsFunc(s.Containers, func(c corev1.Container) bool { _, ok := of(c.Resources)[name]; return ok })
		}
	}
	requests := func(r corev1.ResourceRequirements) corev1.ResourceList { return r.Requests }
	limits := func(r corev1.ResourceRequirements) corev1.ResourceList { return r.Limits }
	return []kubesecRule{
		{"RequestsCPU", "containers[] .resources .requests .cpu", 1, has(requests, corev1.ResourceCPU)},
		{"LimitsCPU", "containers[] .resources .limits .cpu", 1, has(limits, corev1.ResourceCPU)},
		{"RequestsMemory", "containers[] .resources .requests .memory", 1, has(requests, corev1.ResourceMemory)},
		{"LimitsMemory", "containers[] .resources .limits .memory", 1, has(limits, corev1.ResourceMemory)},
	}
}

func kubesecObjectRules() []kubesecRule {
	const seccomp, appArmor = "seccomp.security.alpha.kubernetes.io/", "container.apparmor.security.beta.kubernetes.io/"
	return []kubesecRule{
		{"ServiceAccountName", ".spec .serviceAccountName", 3, func(s *kubesecObject) bool { return s.ServiceAccountName != "" }},
		{"AutomountServiceAccountToken", ".spec .automountServiceAccountToken == false", 1, func(s *kubesecObject) bool {
			return s.AutomountServiceAccountToken != nil && !*s.AutomountServiceAccountToken
		}},
		{"SeccompAny", `.metadata .annotations ."container.seccomp.security.alpha.kubernetes.io/pod"`, 1, func(s *kubesecObject) bool { return s.annotated(seccomp, false) }},
		{"SeccompUnconfined", `.metadata .annotations ."container.seccomp.security.alpha.kubernetes.io/pod"`, -1, func(s *kubesecObject) bool { return s.annotated(seccomp, true) }},
		{"ApparmorAny", `.metadata .annotations ."container.apparmor.security.beta.kubernetes.io/nginx"`, 3, func(s *kubesecObject) bool { return s.annotated(appArmor, false) }},
		{"VolumeClaimAccessModeReadWriteOnce", `.spec .volumeClaimTemplates[] .spec .accessModes | index("ReadWriteOnce")`, 1, func(s *kubesecObject) bool {
			return s.eachClaim(func(c corev1.PersistentVolumeClaim) bool {
				return slices.Equal(c.Spec.AccessModes, []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce})
			})
		}},
		{"VolumeClaimRequestsStorage", ".spec .volumeClaimTemplates[] .spec .resources .requests .storage", 1, func(s *kubesecObject) bool {
			return s.eachClaim(func(c corev1.PersistentVolumeClaim) bool {
				_, ok := c.Spec.Resources.Requests[corev1.ResourceStorage]
				return ok
			})
		}},
	}
}

// scored returns the containers whose security contexts kubesec looks at.
func (s *kubesecObject) scored() []corev1.Container {
	return slices.Concat(s.InitContainers, s.Containers)
}

func (s *kubesecObject) hasHostPath(part string) bool {
	return slices.ContainsFunc(s.Volumes, func(v corev1.Volume) bool { return v.HostPath != nil && strings.Contains(v.HostPath.Path, part) })
}

// annotated says whether there is an annotation below a prefix, of which one is
// unconfined or none is.
func (s *kubesecObject) annotated(prefix string, unconfined bool) bool {
	found, is := false, false
	for name, value := range s.annotations {
		if strings.HasPrefix(name, prefix) {
			found, is = true, is || value == "unconfined"
		}
	}
	return found && is == unconfined
}

// eachClaim says whether a StatefulSet has no claims, or one that meets a rule.
func (s *kubesecObject) eachClaim(meets func(corev1.PersistentVolumeClaim) bool) bool {
	return s.Kind == "StatefulSet" && (len(s.claims) == 0 || slices.ContainsFunc(s.claims, meets))
}

// kubesecScore is what kubesec says of an object.
type kubesecScore struct {
	points           int
	passed, critical []kubesecRule
	advised          []kubesecRule // of positive points, not met
}

// kubesec scores a document, or says in found why kubesec would not.
func (d document) kubesec() (score *kubesecScore, found string) {
	if !slices.Contains([]string{"Pod", "Deployment", "StatefulSet", "DaemonSet"}, d.Kind) {
		return nil, fmt.Sprintf("%s in %s is of no kind that kubesec supports", d, d.file)
	}
	pod, found := d.podTemplate()
	if found != "" {
		return nil, found
	}
	it := &kubesecObject{podTemplate: pod}
	if found = it.readObject(d); found != "" {
		return nil, found
	}
	score = &kubesecScore{}
	for _, rule := range kubesecRules() {
		meets := rule.meets(it)
		switch {
		case meets && rule.points < 0:
			score.critical = append(score.critical, rule)
		case meets:
			score.passed = append(score.passed, rule)
		case rule.points > 0 && (d.Kind == "StatefulSet" || !strings.HasPrefix(rule.id, "VolumeClaim")):
			score.advised = append(score.advised, rule)
		}
		if meets {
			score.points += rule.points
		}
	}
	return score, ""
}

// readObject reads what is not of the pod.
func (s *kubesecObject) readObject(d document) string {
	var object struct {
		Metadata struct {
			Annotations map[string]string `json:"annotations"`
		} `json:"metadata"`
		Spec struct {
			Claims []corev1.PersistentVolumeClaim `json:"volumeClaimTemplates"`
		} `json:"spec"`
	}
	// The whole has been decoded strictly.
	if err := kjson.UnmarshalCaseSensitivePreserveInts(d.json, &object); err != nil {
		return err.Error()
	}
	s.annotations, s.claims = object.Metadata.Annotations, object.Spec.Claims
	return ""
}
