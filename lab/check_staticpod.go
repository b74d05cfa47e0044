package lab

import (
	"bytes"
	"context"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
	corev1 "k8s.io/api/core/v1"

	"github.com/pkictl/pkictl/apiserver"
	"github.com/pkictl/pkictl/internal/staticpod"
	"github.com/pkictl/pkictl/internal/yamlfile"
)

// readStaticPodCheck reads the parameters of a check of the manifest of a static pod,
// as the kubelet and the component read it:
//
//	file       the manifest's
//	component  the program, such as kube-apiserver or etcd
//	flags      flags, without dashes, with what is wanted of their values: a text or a
//	           number, or a mapping of equals, oneOf, absent, present, contains, lacks,
//	           only, min and max; see objectFields. The items of a list with commas
//	           are meant by contains, lacks and only. Where a flag stands more than
//	           once the last counts, or all do, as the component has it
//	files      flags whose value is a path, with {host: PATH}, where that path is on the
//	           host through a hostPath volume; readOnly: true, if the mount is to be so;
//	           written: true for a file that the component makes; given: FILE, if it
//	           must still be as the lab gives it
//	fields     conditions on other fields of the Pod, see objectFields
//
// Of kube-apiserver the whole command line must be one that it starts with: no flag
// and no admission plugin that its version does not know.
func readStaticPodCheck(p *params) (grader, error) {
	c := &staticPodCheck{params: p}
	err := p.fields(
		p.file("file", &c.file),
		p.text("component", &c.component),
		yamlfile.Key{Name: "flags", Read: c.readFlags},
		yamlfile.Key{Name: "files", Read: c.readFiles},
		p.objectFields(&c.fields),
	)
	if err != nil {
		return nil, err
	}
	if c.component == "" {
		return nil, p.ErrorAt(p.node, "name it, as in component: kube-apiserver", "%s has no field %q", p.what, "component")
	}
	return c.grade, p.someOf(len(c.conditions)+len(c.fields), c.file)
}

type staticPodCheck struct {
	*params
	file, component string
	conditions      []condition[*staticPod]
	fields          []condition[object]
}

// staticPod is a component with its flags as it takes them.
type staticPod struct {
	*staticpod.Component
	value func(flag string) (string, bool)
}

func (c *staticPodCheck) grade(_ context.Context, w *work) finding {
	wanted := fmt.Sprintf("the manifest of %s in %s", c.component, c.file)
	pod, it, found := w.staticPod(c.file, c.component)
	if found != "" {
		return finding{wanted: wanted, found: found}
	}
	f := judge(pod, w, c.conditions)
	if len(c.fields) > 0 {
		f = both(f, judge(it, w, c.fields))
	}
	return f
}

// both joins two findings.
func both(a, b finding) finding {
	switch {
	case a.passed && b.passed:
		return finding{true, strings.Trim(a.wanted+"; "+b.wanted, "; "), "as wanted"}
	case a.passed:
		return b
	case b.passed:
		return a
	}
	return finding{false, a.wanted + "; " + b.wanted, a.found + "; " + b.found}
}

// staticPod reads the manifest of a component, or says in found why it would not run.
func (w *work) staticPod(file, component string) (pod *staticPod, it object, found string) {
	docs, found := w.documents(file)
	switch {
	case found != "":
		return nil, nil, found
	case len(docs) > 1:
		return nil, nil, fmt.Sprintf("%s has %d objects; the kubelet takes one Pod in each file", file, len(docs))
	case docs[0].Kind != "Pod":
		return nil, nil, fmt.Sprintf("%s has %s, and no Pod", file, docs[0])
	}
	if found := docs[0].fault(); found != "" {
		return nil, nil, found
	}
	it, err := docs[0].object()
	if err != nil {
		return nil, nil, fmt.Sprintf("%s in %s: %v", docs[0], file, err)
	}
	if component == apiserver.Component {
		pod, found = w.apiServerPod(file)
		return pod, it, found
	}
	decoded, found := decodeAs[corev1.Pod](docs[0])
	if found != "" {
		return nil, nil, found
	}
	c := staticpod.Find(decoded, component)
	if c == nil {
		return nil, nil, fmt.Sprintf("%s runs no %s", file, component)
	}
	return &staticPod{c, func(flag string) (string, bool) { value, has := c.Flags[flag]; return value, has }}, it, ""
}

func (w *work) apiServerPod(file string) (*staticPod, string) {
	data, found := w.learner.file(file, maxManifest)
	if found != "" {
		return nil, found
	}
	m, err := apiserver.ParseManifest(file, data)
	if err != nil {
		return nil, err.Error()
	}
	v, err := apiserver.ParseVersion(m.Version())
	if err != nil {
		v = apiserver.NewestKnown()
	}
	if err := m.CheckFlags(v); err != nil {
		return nil, "it would not start: " + err.Error()
	}
	return &staticPod{m.Component, m.Value}, ""
}

func (c *staticPodCheck) readFlags(n *yaml.Node) error {
	return c.Entries(n, "flags", func(key, wanted *yaml.Node) error {
		flag := key.Value
		if strings.HasPrefix(flag, "-") {
			return c.ErrorAt(key, "write it like audit-log-maxage: 10", "flag %q has its dashes", flag)
		}
		w := &wantedField{params: c.params, path: "--" + flag}
		if err := w.read(wanted); err != nil {
			return err
		}
		isList := wanted.Kind == yaml.MappingNode && (yamlfile.Field(wanted, "contains") != nil || yamlfile.Field(wanted, "lacks") != nil || yamlfile.Field(wanted, "only") != nil)
		c.conditions = append(c.conditions, func(pod *staticPod, _ *work) (string, string, bool) {
			text, has := pod.value(flag)
			found := "--" + flag + " is absent"
			if has {
				found = fmt.Sprintf("--%s=%s", flag, text)
			}
			_, ok := w.judge(value{"", flagValue(text, has, isList)})
			return w.String(), found, ok
		})
		return nil
	})
}

// flagValue is what a condition compares: the items of a list, or a number or a text.
// Programs of Kubernetes read numbers as strconv does.
func flagValue(text string, has, isList bool) any {
	if !has {
		return nil
	}
	if isList {
		items := []any{}
		for item := range strings.SplitSeq(text, ",") {
			items = append(items, item)
		}
		return items
	}
	if n, err := strconv.ParseInt(text, 0, 64); err == nil {
		return n
	}
	switch strings.ToLower(text) {
	case "true":
		return true
	case "false":
		return false
	}
	return text
}

func (c *staticPodCheck) readFiles(n *yaml.Node) error {
	return c.Entries(n, "files", func(key, wanted *yaml.Node) error {
		f := mountedFile{flag: key.Value}
		boolean := func(what string, to *bool) yamlfile.Key {
			return yamlfile.Key{Name: what, Read: func(n *yaml.Node) (err error) { *to, err = c.Boolean(n, what); return err }}
		}
		err := c.Mapping(wanted, "what is wanted of "+key.Value, c.text("host", &f.host), boolean("readOnly", &f.readOnly), boolean("written", &f.written), c.given("given", &f.given))
		if err == nil && !path.IsAbs(f.host) {
			err = c.ErrorAt(wanted, "write {host: /etc/kubernetes/audit.yaml}", "host is no absolute path")
		}
		c.conditions = append(c.conditions, f.judge)
		return err
	})
}

// mountedFile is a file that a flag names and that the host has.
type mountedFile struct {
	flag, host        string
	given             string // below the workspace
	readOnly, written bool
}

func (f mountedFile) judge(pod *staticPod, w *work) (wanted, found string, ok bool) {
	wanted = fmt.Sprintf("the file of --%s is %s on the host, by a hostPath volume", f.flag, f.host)
	if f.readOnly {
		wanted += " mounted readOnly"
	}
	name, has := pod.value(f.flag)
	if !has {
		return wanted, "--" + f.flag + " is absent", false
	}
	on, mounted := pod.HostPath(name)
	if !mounted {
		return wanted, fmt.Sprintf("no mount of a hostPath volume shows %s in the container", name), false
	}
	if path.Clean(strings.ReplaceAll(on, `\`, "/")) != path.Clean(f.host) {
		return wanted, fmt.Sprintf("%s in the container is %s on the host", name, on), false
	}
	mount := pod.Container.VolumeMounts[pod.MountOf(path.Clean(name))]
	if f.readOnly && !mount.ReadOnly {
		return wanted, fmt.Sprintf("the mount %s at %s can be written to", mount.Name, mount.MountPath), false
	}
	if !f.readOnly && f.written && mount.ReadOnly {
		return wanted, fmt.Sprintf("the mount %s at %s is readOnly", mount.Name, mount.MountPath), false
	}
	if f.given != "" && w.isChanged(f.given) {
		return "the file " + f.given + " as the lab gives it", "it was changed or removed", false
	}
	whole := path.Clean(name) == path.Clean(mount.MountPath) && mount.SubPath == ""
	return wanted, f.typeFault(pod, mount, whole), f.typeFault(pod, mount, whole) == ""
}

// isChanged says whether a file is not as the lab gives it.
func (w *work) isChanged(name string) bool {
	data, found := w.learner.file(name, maxGivenFile)
	given, err := w.lab.givenFiles()
	if found != "" || err != nil {
		return true
	}
	return !slices.ContainsFunc(given, func(g givenFile) bool { return g.name == name && bytes.Equal(g.data, data) })
}

// typeFault says why the kubelet would not mount a volume, by its type: that of a
// file, or of the directory that it is in. Where the type says nothing a runtime
// makes a directory of what is not there.
func (f mountedFile) typeFault(pod *staticPod, mount corev1.VolumeMount, whole bool) string {
	for _, volume := range pod.Pod.Spec.Volumes {
		if volume.Name != mount.Name || volume.HostPath == nil {
			continue
		}
		kind := corev1.HostPathUnset
		if volume.HostPath.Type != nil {
			kind = *volume.HostPath.Type
		}
		isFile := kind == corev1.HostPathFile || kind == corev1.HostPathFileOrCreate
		isDirectory := kind == corev1.HostPathDirectory || kind == corev1.HostPathDirectoryOrCreate
		switch {
		case whole && f.written && kind != corev1.HostPathFileOrCreate:
			return fmt.Sprintf("volume %s is the file itself, which is not there yet, and not of type FileOrCreate", mount.Name)
		case whole && !isFile && kind != corev1.HostPathUnset, !whole && !isDirectory && kind != corev1.HostPathUnset:
			return fmt.Sprintf("volume %s has the type %s, which %s is not", mount.Name, kind, volume.HostPath.Path)
		}
	}
	return ""
}
