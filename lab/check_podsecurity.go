package lab

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"

	"github.com/pkictl/pkictl/internal/yamlfile"
)

// readPodSecurityCheck reads the parameters of a check of a pod, in a file of
// manifests: a Pod, or a Deployment, ReplicaSet, StatefulSet, DaemonSet, Job or CronJob
// that makes it:
//
//	file, kind, apiVersion, name, namespace
//	            the object, see kind manifest; the kind is Pod if none is given
//	level       baseline or restricted, of the Pod Security Standards: the evaluator of
//	            Pod Security Admission admits the pod
//	version     of the standards, as in a label of a namespace: v1.36; else latest
//	containers  conditions (objectFields) on each container, initContainer and
//	            ephemeralContainer as it ends up, see effective
//	container   name: one container; fields: conditions on it as it ends up; emptyDirs:
//	            paths that it can write to, each an emptyDir of its own mount
//	pod         conditions on the spec of the pod, whatever the kind
//	fields      conditions on the object that describes it, see objectFields
//
// A pod that an API server would refuse does not pass.
func readPodSecurityCheck(p *params) (grader, error) {
	c := &podCheck{params: p, version: api.LatestVersion()}
	c.want.kind = "Pod"
	var file string
	err := p.fields(
		p.file("file", &file),
		p.text("kind", &c.want.kind),
		p.text("apiVersion", &c.want.apiVersion),
		p.text("name", &c.want.name),
		p.text("namespace", &c.want.namespace),
		yamlfile.Key{Name: "level", Read: c.readLevel},
		yamlfile.Key{Name: "version", Read: c.readVersion},
		yamlfile.Key{Name: "containers", Read: func(n *yaml.Node) error { return p.objectFields(&c.each).Read(n) }},
		yamlfile.Key{Name: "container", Read: c.readContainer},
		yamlfile.Key{Name: "pod", Read: func(n *yaml.Node) error { return p.objectFields(&c.spec).Read(n) }},
		p.objectFields(&c.object),
	)
	if err != nil {
		return nil, err
	}
	asks := len(c.each) + len(c.one) + len(c.spec) + len(c.emptyDirs) + len(c.object) + len(c.level)
	return func(_ context.Context, w *work) finding {
		docs, found := w.documents(file)
		if found != "" {
			return finding{wanted: c.want.String() + " in " + file, found: found}
		}
		return c.grade(docs, w)
	}, p.someOf(asks, file)
}

type podCheck struct {
	*params
	want      wantedObject
	level     api.Level
	version   api.Version
	each, one []condition[object]
	spec      []condition[object]
	object    []condition[object]
	container string // that one and emptyDirs are about
	emptyDirs []string
}

func (c *podCheck) readLevel(n *yaml.Node) error {
	text, err := c.Text(n, "level")
	if err == nil && text != string(api.LevelBaseline) && text != string(api.LevelRestricted) {
		err = c.ErrorAt(n, "write baseline or restricted", "%q is no level that asks for something", text)
	}
	c.level = api.Level(text)
	return err
}

func (c *podCheck) readVersion(n *yaml.Node) error {
	text, err := c.Text(n, "version")
	if err == nil {
		c.version, err = api.ParseVersion(text)
		err = c.At(n, err)
	}
	return err
}

func (c *podCheck) readContainer(n *yaml.Node) error {
	err := c.Mapping(n, "container",
		c.text("name", &c.container),
		c.objectFields(&c.one),
		yamlfile.Key{Name: "emptyDirs", Read: func(n *yaml.Node) (err error) {
			c.emptyDirs, err = c.textOrTexts(n, "emptyDirs")
			return err
		}},
	)
	if err == nil && (c.container == "" || len(c.one)+len(c.emptyDirs) == 0) {
		err = c.ErrorAt(n, "write {name: web, fields: {runAsUser: 1000}}", "container has no name, or nothing is asked of it")
	}
	return err
}

// grade asks all of each pod that is meant.
func (c *podCheck) grade(docs []document, w *work) finding {
	chosen, found := c.want.choose(docs)
	if found != "" {
		return finding{wanted: c.want.String(), found: found}
	}
	f := finding{passed: true}
	for _, d := range chosen {
		pod, found := d.podTemplate()
		if found == "" && pod == nil {
			found = fmt.Sprintf("%s in %s makes no pod", d, d.file)
		}
		if found != "" {
			return finding{wanted: c.want.String(), found: found}
		}
		if f = c.judge(pod, w); !f.passed {
			f.found = d.String() + ": " + f.found
			break
		}
	}
	f.wanted = strings.TrimSuffix(c.want.String()+": "+f.wanted, ": ")
	return f
}

func (c *podCheck) judge(pod *podTemplate, w *work) finding {
	f := finding{passed: true}
	if c.level != "" {
		f = both(f, c.admitted(pod))
	}
	if len(c.spec) > 0 {
		whole := pod.PodSpec
		if whole.ServiceAccountName == "" { // the old name of the field (pkg/apis/core/v1/conversion.go)
			whole.ServiceAccountName = whole.DeprecatedServiceAccount
		}
		it, err := plainJSON(whole)
		spec, _ := it.(object)
		if err != nil {
			return finding{wanted: "a pod", found: err.Error()}
		}
		f = both(f, judge(spec, w, c.spec))
	}
	if len(c.object) > 0 {
		it, err := pod.object()
		if err != nil {
			return finding{wanted: "an object", found: err.Error()}
		}
		f = both(f, judge(it, w, c.object))
	}
	f = both(f, c.eachContainer(pod, w))
	if c.container != "" {
		f = both(f, c.oneContainer(pod, w))
	}
	return f
}

// admitted asks the evaluator of Pod Security Admission.
func (c *podCheck) admitted(pod *podTemplate) finding {
	level := api.LevelVersion{Level: c.level, Version: c.version}
	wanted := fmt.Sprintf("a pod that Pod Security admits at %s:%s", c.level, c.version.String())
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		return finding{wanted: wanted, found: err.Error()}
	}
	// Never nil: the checks of annotations look into it.
	result := policy.AggregateCheckResults(evaluator.EvaluatePod(level, &pod.ObjectMeta, &pod.PodSpec))
	return finding{result.Allowed, wanted, result.ForbiddenDetail()}
}

// eachContainer asks for the first that is not as wanted.
func (c *podCheck) eachContainer(pod *podTemplate, w *work) finding {
	f := finding{passed: true}
	if len(c.each) == 0 {
		return f
	}
	for _, container := range pod.all() {
		if f = judgeContainer(pod, container, w, c.each); !f.passed {
			break
		}
	}
	f.wanted = "each container: " + f.wanted
	return f
}

func judgeContainer(pod *podTemplate, container podContainer, w *work, conditions []condition[object]) finding {
	it, err := pod.effective(container)
	if err != nil {
		return finding{wanted: "a container", found: err.Error()}
	}
	f := judge(it, w, conditions)
	if !f.passed {
		f.found = fmt.Sprintf("%s of %s: %s", container.Name, container.list, f.found)
	}
	return f
}

func (c *podCheck) oneContainer(pod *podTemplate, w *work) finding {
	all := pod.all()
	at := slices.IndexFunc(all, func(container podContainer) bool { return container.Name == c.container })
	if at < 0 {
		return finding{wanted: "a container " + c.container, found: "there is none of that name"}
	}
	f := finding{passed: true}
	if len(c.one) > 0 {
		f = judgeContainer(pod, all[at], w, c.one)
		f.wanted = "container " + c.container + ": " + f.wanted
	}
	for _, dir := range c.emptyDirs {
		found := pod.emptyDirFault(all[at], dir)
		f = both(f, finding{found == "", "an emptyDir at " + dir + " of container " + c.container, found})
	}
	return f
}

// emptyDirFault says why a container cannot write to a directory as to an emptyDir of
// its own. One at the directory above would hide what the image has beside it, and a
// program that finds it empty seldom makes more than one directory.
func (p *podTemplate) emptyDirFault(c podContainer, dir string) string {
	at := slices.IndexFunc(c.VolumeMounts, func(m corev1.VolumeMount) bool { return inImage(m.MountPath) == inImage(dir) })
	if at < 0 {
		return "nothing is mounted at " + dir + " of container " + c.Name
	}
	mount := c.VolumeMounts[at]
	if mount.ReadOnly {
		return fmt.Sprintf("the mount at %s is readOnly", mount.MountPath)
	}
	for _, v := range p.Volumes {
		switch {
		case v.Name != mount.Name:
		case v.EmptyDir != nil:
			return ""
		default:
			return fmt.Sprintf("volume %s at %s is no emptyDir", v.Name, mount.MountPath)
		}
	}
	return fmt.Sprintf("volume %s at %s is no emptyDir", mount.Name, mount.MountPath)
}

// inImage returns where a path leads in the images of Linux distributions: /var/run is
// a link to /run, and runtimes mount where a link leads.
func inImage(dir string) string {
	dir = path.Clean("/" + dir)
	if below, ok := strings.CutPrefix(dir, "/var/run"); ok && (below == "" || below[0] == '/') {
		return "/run" + below
	}
	return dir
}
