package lab

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	corev1 "k8s.io/api/core/v1"
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
// What the API server refuses in a pod is a fault, see podTemplate.
func readConfinementCheck(p *params) (grader, error) {
	var file string
	var want wantedObject
	var conditions []condition[*podTemplate]
	err := p.fields(
		p.file("file", &file),
		p.text("kind", &want.kind),
		p.text("name", &want.name),
		p.text("namespace", &want.namespace),
		add(&conditions, "seccomp", func(n *yaml.Node) (condition[*podTemplate], error) { return p.profiles(n, "seccomp", seccompOf) }),
		add(&conditions, "appArmor", func(n *yaml.Node) (condition[*podTemplate], error) { return p.profiles(n, "appArmor", appArmorOf) }),
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

// confined returns the pod of an object, or says why there is none that an API server
// would take.
func (w *work) confined(file string, want wantedObject) (pod *podTemplate, found string) {
	docs, found := w.documents(file)
	if found != "" {
		return nil, found
	}
	chosen, found := want.choose(docs)
	if found != "" {
		return nil, found
	}
	pod, found = chosen[0].podTemplate()
	switch {
	case found != "":
		return nil, found
	case pod == nil:
		return nil, fmt.Sprintf("%s makes no pods", chosen[0])
	}
	return pod, pod.annotationFault()
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

// seccompOf returns what takes effect: the container's before the pod's. A privileged
// container runs without, whatever it says (containerd and CRI-O).
func seccompOf(s corev1.SecurityContext) confinement {
	switch {
	case isTrue(s.Privileged):
		return confinement{kind: "Unconfined", name: "(privileged)"}
	case s.SeccompProfile == nil:
		return confinement{kind: unset}
	}
	return seccompIs(s.SeccompProfile)
}

// appArmorOf is as seccompOf, but that a profile of the node's holds for a privileged
// container, too.
func appArmorOf(s corev1.SecurityContext) confinement {
	is := confinement{kind: unset}
	if p := s.AppArmorProfile; p != nil {
		is = confinement{string(p.Type), deref(p.LocalhostProfile)}
	}
	if isTrue(s.Privileged) && is.kind != "Localhost" {
		return confinement{kind: "Unconfined", name: "(privileged)"}
	}
	return is
}

// profiles reads which profile takes effect in which container.
func (p *params) profiles(n *yaml.Node, what string, is func(corev1.SecurityContext) confinement) (condition[*podTemplate], error) {
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
	return func(pod *podTemplate, _ *work) (wanted, found string, ok bool) {
		var wants, wrong []string
		seen := map[string]bool{}
		for _, c := range pod.all() {
			seen[c.Name] = true
			wish, ok := want[c.Name]
			if !ok {
				wish, ok = want["*"]
			}
			if !ok {
				continue
			}
			wants = append(wants, c.Name+": "+wish)
			if is := is(pod.securityOf(c.Container)).String(); is != wish {
				wrong = append(wrong, c.Name+": "+is)
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

func (p *params) noAnnotations(n *yaml.Node) (condition[*podTemplate], error) {
	is, err := p.Boolean(n, "annotations")
	if err == nil && is {
		err = p.ErrorAt(n, "write false, or leave it out", "annotations is true")
	}
	return func(pod *podTemplate, _ *work) (wanted, found string, ok bool) {
		var old []string
		for key := range pod.Annotations {
			if key == seccompPodAnnotation || strings.HasPrefix(key, seccompContainerAnnotation) || strings.HasPrefix(key, appArmorAnnotation) {
				old = append(old, key)
			}
		}
		slices.Sort(old)
		return "none of the old annotations", "annotation " + list(old), len(old) == 0
	}, err
}

func (p *params) hasContainers(n *yaml.Node) (condition[*podTemplate], error) {
	want, err := p.textOrTexts(n, "containers")
	slices.Sort(want)
	return func(pod *podTemplate, _ *work) (wanted, found string, ok bool) {
		var names []string
		for _, c := range pod.all() {
			names = append(names, c.Name)
		}
		slices.Sort(names)
		return "containers " + list(want), "containers " + list(names), slices.Equal(names, want)
	}, err
}

// annotationFault says that the API server refuses an AppArmor profile as it was given
// before there was a field (ValidateAppArmorPodAnnotations).
func (p *podTemplate) annotationFault() string {
	for key := range p.Annotations {
		name, ok := strings.CutPrefix(key, appArmorAnnotation)
		if ok && !slices.ContainsFunc(p.all(), func(c podContainer) bool { return c.Name == name }) {
			return fmt.Sprintf("the API server refuses the pod: annotation %s ends in %s, and there is no container of that name", key, name)
		}
	}
	return ""
}
