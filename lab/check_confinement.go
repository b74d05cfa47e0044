package lab

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kjson "sigs.k8s.io/json"
)

// readConfinementCheck reads the parameters of a check of what confines the containers
// of a pod, or of a workload's pods, init containers among them: the seccomp and
// AppArmor profiles that take effect, whether the pod has them or the container.
//
//	file         of manifests
//	kind, name, namespace  of the object, as of a manifest
//	seccomp      a profile for all containers, or a mapping of containers to profiles,
//	             in which * stands for those that it does not name: RuntimeDefault,
//	             Unconfined, Unset, or Localhost NAME
//	appArmor     as seccomp
//	annotations  false: there are none of those that came before the fields
//	containers   the names of all containers that there must be
//
// What the API server refuses is a fault: a path that is not relative to the kubelet's
// directory, a name where none belongs, an annotation that names no container.
func readConfinementCheck(p *params) (grader, error) {
	var file string
	var want wantedObject
	var conditions []condition[*confinedPod]
	err := p.fields(
		p.file("file", &file),
		p.text("kind", &want.kind),
		p.text("name", &want.name),
		p.text("namespace", &want.namespace),
		add(&conditions, "seccomp", func(n *yaml.Node) (condition[*confinedPod], error) { return p.profiles(n, "seccomp", seccompOf) }),
		add(&conditions, "appArmor", func(n *yaml.Node) (condition[*confinedPod], error) { return p.profiles(n, "appArmor", appArmorOf) }),
		add(&conditions, "annotations", p.noAnnotations),
		add(&conditions, "containers", p.hasContainers),
	)
	if err != nil {
		return nil, err
	}
	if want.kind == "" || want.name == "" {
		return nil, p.ErrorAt(p.node, "name it, as in kind: Pod, name: web", "%s has no kind and name", p.what)
	}
	return func(_ context.Context, w *work) finding {
		pod, found := w.confined(file, want)
		if found != "" {
			return finding{wanted: want.String() + " in " + file, found: found}
		}
		f := judge(pod, w, conditions)
		f.wanted = want.String() + ": " + f.wanted
		return f
	}, p.someOf(len(conditions), file)
}

// confinedPod is a pod, or the template of a workload.
type confinedPod struct {
	meta metav1.ObjectMeta
	spec corev1.PodSpec
}

// container is one of a pod, of whatever sort.
type container struct {
	name     string
	security *corev1.SecurityContext
}

func (c *confinedPod) containers() []container {
	var all []container
	for _, list := range [][]corev1.Container{c.spec.InitContainers, c.spec.Containers} {
		for _, one := range list {
			all = append(all, container{one.Name, one.SecurityContext})
		}
	}
	for _, one := range c.spec.EphemeralContainers {
		all = append(all, container{one.Name, one.SecurityContext})
	}
	return all
}

// confined returns the pod of an object, or says why there is none that an API server
// would take.
func (w *work) confined(file string, want wantedObject) (pod *confinedPod, found string) {
	docs, found := w.documents(file)
	if found != "" {
		return nil, found
	}
	chosen, found := want.choose(docs)
	if found != "" {
		return nil, found
	}
	pod, err := podOf(chosen[0])
	if err != nil {
		return nil, fmt.Sprintf("%s in %s: %v", chosen[0], file, err)
	}
	if len(pod.spec.Containers) == 0 {
		return nil, fmt.Sprintf("%s has no containers", chosen[0])
	}
	return pod, pod.fault()
}

// podOf returns the pod, or the pods' template, of an object.
func podOf(d document) (*confinedPod, error) {
	type template struct {
		Metadata metav1.ObjectMeta `json:"metadata"`
		Spec     corev1.PodSpec    `json:"spec"`
	}
	var at template
	var err error
	switch d.Kind {
	case "Pod":
		err = kjson.UnmarshalCaseSensitivePreserveInts(d.json, &at)
	case "CronJob":
		var object struct {
			Spec struct {
				JobTemplate struct {
					Spec struct {
						Template template `json:"template"`
					} `json:"spec"`
				} `json:"jobTemplate"`
			} `json:"spec"`
		}
		err = kjson.UnmarshalCaseSensitivePreserveInts(d.json, &object)
		at = object.Spec.JobTemplate.Spec.Template
	default:
		var object struct {
			Spec struct {
				Template template `json:"template"`
			} `json:"spec"`
		}
		err = kjson.UnmarshalCaseSensitivePreserveInts(d.json, &object)
		at = object.Spec.Template
	}
	return &confinedPod{at.Metadata, at.Spec}, err
}

// unset is what takes effect where neither container nor pod says anything: without
// seccompDefault in the kubelet's configuration no seccomp profile, and the runtime's
// AppArmor profile where the node has AppArmor.
const unset = "Unset"

// confinement is a profile as the pod has it.
type confinement struct{ kind, name string }

func (c confinement) String() string {
	return strings.TrimSpace(c.kind + " " + c.name)
}

func deref(p *string) string {
	if p == nil {
		return ""
	}
	return *p
}

// seccompIs has the path as the kubelet joins it: without a ./ before it.
func seccompIs(p *corev1.SeccompProfile) confinement {
	name := deref(p.LocalhostProfile)
	if name != "" {
		name = path.Clean(name)
	}
	return confinement{string(p.Type), name}
}

func appArmorIs(p *corev1.AppArmorProfile) confinement {
	return confinement{string(p.Type), deref(p.LocalhostProfile)}
}

// seccompOf returns what takes effect: the container's before the pod's. A privileged
// container runs without, whatever it says (containerd and CRI-O).
func seccompOf(pod *confinedPod, c container) confinement {
	switch s := pod.spec.SecurityContext; {
	case privileged(c):
		return confinement{kind: "Unconfined", name: "(privileged)"}
	case c.security != nil && c.security.SeccompProfile != nil:
		return seccompIs(c.security.SeccompProfile)
	case s != nil && s.SeccompProfile != nil:
		return seccompIs(s.SeccompProfile)
	}
	return confinement{kind: unset}
}

// appArmorOf is as seccompOf, but that a profile of the node's holds for a privileged
// container, too.
func appArmorOf(pod *confinedPod, c container) confinement {
	is := confinement{kind: unset}
	switch s := pod.spec.SecurityContext; {
	case c.security != nil && c.security.AppArmorProfile != nil:
		is = appArmorIs(c.security.AppArmorProfile)
	case s != nil && s.AppArmorProfile != nil:
		is = appArmorIs(s.AppArmorProfile)
	}
	if privileged(c) && is.kind != "Localhost" {
		return confinement{kind: "Unconfined", name: "(privileged)"}
	}
	return is
}

func privileged(c container) bool {
	return c.security != nil && c.security.Privileged != nil && *c.security.Privileged
}

// profiles reads which profile takes effect in which container.
func (p *params) profiles(n *yaml.Node, what string, is func(*confinedPod, container) confinement) (condition[*confinedPod], error) {
	want := map[string]string{}
	if n.Kind == yaml.MappingNode {
		if err := p.Entries(n, what, func(key, value *yaml.Node) (err error) {
			want[key.Value], err = p.profile(value, what)
			return err
		}); err != nil {
			return nil, err
		}
	} else {
		one, err := p.profile(n, what)
		if err != nil {
			return nil, err
		}
		want["*"] = one
	}
	return func(pod *confinedPod, _ *work) (wanted, found string, ok bool) {
		var wants, wrong []string
		seen := map[string]bool{}
		for _, c := range pod.containers() {
			seen[c.name] = true
			wish, ok := want[c.name]
			if !ok {
				wish, ok = want["*"]
			}
			if !ok {
				continue
			}
			wants = append(wants, c.name+": "+wish)
			if is := is(pod, c).String(); is != wish {
				wrong = append(wrong, c.name+": "+is)
			}
		}
		for name := range want {
			if name != "*" && !seen[name] {
				wants = append(wants, name+": "+want[name])
				wrong = append(wrong, "no container "+name)
			}
		}
		slices.Sort(wrong)
		return what + " of " + list(wants), what + " of " + list(wrong), len(wrong) == 0
	}, nil
}

func (p *params) profile(n *yaml.Node, what string) (string, error) {
	text, err := p.Text(n, what)
	if err != nil {
		return "", err
	}
	name, local := strings.CutPrefix(text, "Localhost ")
	if !slices.Contains([]string{"RuntimeDefault", "Unconfined", unset}, text) && (!local || name == "") {
		return "", p.ErrorAt(n, "write RuntimeDefault, Unconfined, Unset or Localhost NAME", "%q is no profile", text)
	}
	return text, nil
}

// The annotations from before the fields.
const (
	seccompPodAnnotation       = "seccomp.security.alpha.kubernetes.io/pod"
	seccompContainerAnnotation = "container.seccomp.security.alpha.kubernetes.io/"
	appArmorAnnotation         = "container.apparmor.security.beta.kubernetes.io/"
)

func (p *params) noAnnotations(n *yaml.Node) (condition[*confinedPod], error) {
	is, err := p.Boolean(n, "annotations")
	if err == nil && is {
		err = p.ErrorAt(n, "write false, or leave it out", "annotations is true")
	}
	return func(pod *confinedPod, _ *work) (wanted, found string, ok bool) {
		var old []string
		for key := range pod.meta.Annotations {
			if key == seccompPodAnnotation || strings.HasPrefix(key, seccompContainerAnnotation) || strings.HasPrefix(key, appArmorAnnotation) {
				old = append(old, key)
			}
		}
		slices.Sort(old)
		return "none of the old annotations", "annotation " + list(old), len(old) == 0
	}, err
}

func (p *params) hasContainers(n *yaml.Node) (condition[*confinedPod], error) {
	want, err := p.textOrTexts(n, "containers")
	slices.Sort(want)
	return func(pod *confinedPod, _ *work) (wanted, found string, ok bool) {
		var names []string
		for _, c := range pod.containers() {
			names = append(names, c.name)
		}
		slices.Sort(names)
		return "containers " + list(want), "containers " + list(names), slices.Equal(names, want)
	}, err
}

// fault says why the API server refuses a pod for its profiles
// (k8s.io/kubernetes/pkg/apis/core/validation).
func (c *confinedPod) fault() string {
	var seccomp []*corev1.SeccompProfile
	var appArmor []*corev1.AppArmorProfile
	if s := c.spec.SecurityContext; s != nil {
		seccomp, appArmor = append(seccomp, s.SeccompProfile), append(appArmor, s.AppArmorProfile)
	}
	for _, one := range c.containers() {
		if s := one.security; s != nil {
			seccomp, appArmor = append(seccomp, s.SeccompProfile), append(appArmor, s.AppArmorProfile)
		}
	}
	for _, p := range seccomp {
		if p == nil {
			continue
		}
		if found := seccompFault(p); found != "" {
			return found
		}
	}
	for _, p := range appArmor {
		if p == nil {
			continue
		}
		if found := profileFault("appArmorProfile", appArmorIs(p), p.LocalhostProfile != nil); found != "" {
			return found
		}
		if name := deref(p.LocalhostProfile); name != strings.TrimSpace(name) {
			return fmt.Sprintf("the API server refuses the pod: localhostProfile %q has spaces around it", name)
		}
	}
	return c.annotationFault()
}

func seccompFault(p *corev1.SeccompProfile) string {
	is := seccompIs(p)
	if found := profileFault("seccompProfile", is, p.LocalhostProfile != nil); found != "" || is.kind != "Localhost" {
		return found
	}
	switch {
	case path.IsAbs(is.name):
		return fmt.Sprintf("the API server refuses the pod: localhostProfile %s is absolute, and must be relative to the kubelet's directory for seccomp", is.name)
	case slices.Contains(strings.Split(deref(p.LocalhostProfile), "/"), ".."):
		return fmt.Sprintf("the API server refuses the pod: localhostProfile %s has .. in it", is.name)
	}
	return ""
}

func profileFault(field string, is confinement, named bool) string {
	switch {
	case !slices.Contains([]string{"RuntimeDefault", "Unconfined", "Localhost"}, is.kind):
		return fmt.Sprintf("the API server refuses the pod: %s has the type %q, and there are RuntimeDefault, Unconfined and Localhost", field, is.kind)
	case is.kind == "Localhost" && strings.TrimSpace(is.name) == "":
		return fmt.Sprintf("%s has the type Localhost and no localhostProfile", field)
	case is.kind != "Localhost" && named:
		return fmt.Sprintf("the API server refuses the pod: %s has the type %s and a localhostProfile, which is for Localhost alone", field, is.kind)
	}
	return ""
}

func (c *confinedPod) annotationFault() string {
	for key := range c.meta.Annotations {
		name, ok := strings.CutPrefix(key, appArmorAnnotation)
		if ok && !slices.ContainsFunc(c.containers(), func(one container) bool { return one.name == name }) {
			return fmt.Sprintf("the API server refuses the pod: annotation %s ends in %s, and there is no container of that name", key, name)
		}
	}
	return ""
}
