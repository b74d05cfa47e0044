package apiserver

import (
	"errors"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	kubeyaml "sigs.k8s.io/yaml"

	"github.com/pkictl/pkictl/internal/shell"
	"github.com/pkictl/pkictl/internal/store"
	"github.com/pkictl/pkictl/internal/yamlfile"
)

// root reads a configuration in YAML that a flag names, as nodes. Where it cannot
// be read, what comes of the check is returned as well.
func (p *checkedPod) root(flag string) (root *yaml.Node, path string, f *finding) {
	file, _ := p.value(flag)
	path, data, err := p.read(file, store.MaxYAML)
	if err == nil {
		var documents []*yaml.Node
		documents, err = yamlfile.File{Name: path}.Documents(data)
		if err == nil {
			err = yamlfile.File{Name: path}.Check(documents[0])
		}
		if err == nil {
			return documents[0], path, nil
		}
	}
	f = p.unreadable(flag, err)
	return nil, path, f
}

// unreadable is the finding for a file that a check needs. What is not there, or
// makes no sense, keeps kube-apiserver from starting: that fails.
func (p *checkedPod) unreadable(flag string, err error) *finding {
	file, _ := p.value(flag)
	f := fail(err.Error(), flag)
	switch {
	case errors.Is(err, errElsewhere):
		f.status, f.found = StatusUnknown, file+": "+err.Error()
	case errors.Is(err, fs.ErrPermission):
		f.status, f.unread = StatusUnknown, err
	}
	return &f
}

// isHarmless says whether a path is one of those that probes ask, or the one by
// which kubeadm join finds the cluster: nothing is said there that not all may know.
func isHarmless(path string) bool {
	for _, known := range []string{"/livez", "/readyz", "/healthz"} {
		if path == known || strings.HasPrefix(path, known+"/") {
			return true
		}
	}
	return path == "/version" || path == "/api/v1/namespaces/kube-public/configmaps/cluster-info"
}

func judgeAnonymous(_ *cisChecker, p *checkedPod) finding {
	if file, _ := p.value("authentication-config"); file != "" {
		root, path, f := p.root("authentication-config")
		if f != nil {
			return *f
		}
		if anonymous := yamlfile.Field(root, "anonymous"); anonymous != nil {
			return p.judgeAnonymousConfig(anonymous, path)
		}
	}
	text, found := p.value("anonymous-auth")
	is, err := parseSwitch(text)
	switch {
	case found && err == nil && !is:
	case slices.Contains(p.authorizers(), "AlwaysAllow"):
		// pkg/kubeapiserver/options/authentication.go, ApplyAuthorization
		return pass("the authorizer AlwaysAllow turns them off", "authorization-mode")
	case !found:
		return fail("not set, which is true", "")
	default:
		return fail("--anonymous-auth="+text, "anonymous-auth")
	}
	f := pass("--anonymous-auth="+text, "anonymous-auth")
	if probes := endingProbes(p.running.Container); probes != nil {
		f.note = restartsNote(probes[0])
	}
	return f
}

// restartsNote is for what refuses the kubelet.
func restartsNote(probe string) string {
	return "the kubelet asks " + probe + " without a credential, is refused (401), and restarts kube-apiserver again and again: pkictl apiserver patch --anonymous probes"
}

// judgeAnonymousConfig judges what is at the key anonymous of a configuration.
func (p *checkedPod) judgeAnonymousConfig(node *yaml.Node, path string) finding {
	var anonymous anonymousAccess
	if err := decodeNode(node, &anonymous); err != nil {
		f := fail("its anonymous cannot be read: kube-apiserver does not start", "")
		f.file, f.line = path, node.Line
		return f
	}
	more := slices.DeleteFunc(anonymous.paths(), isHarmless)
	var f finding
	switch paths := anonymous.paths(); {
	case !anonymous.Enabled:
		f = pass("anonymous: enabled: false", "")
	case paths == nil:
		f = fail("anonymous: enabled: true, without conditions", "")
	case len(more) > 0:
		f = fail("anonymous at "+strings.Join(more, ", "), "")
	default:
		f = pass("anonymous at "+strings.Join(paths, ", ")+" alone", "")
	}
	f.file, f.line = path, node.Line
	for _, probe := range endingProbes(p.running.Container) {
		if !anonymous.allows(probe) {
			f.note = restartsNote(probe)
		}
	}
	return f
}

// decodeNode reads a node as kube-apiserver does: by the rules of YAML 1.1, by
// which yes is true.
func decodeNode(node *yaml.Node, into any) error {
	data, err := yaml.Marshal(node)
	if err != nil {
		return err
	}
	return kubeyaml.Unmarshal(data, into)
}

// authorizers returns the modes of authorization that flags say.
func (p *checkedPod) authorizers() []string {
	if file, _ := p.value("authorization-config"); file != "" {
		return nil
	}
	if modes := p.list("authorization-mode"); modes != nil {
		return modes
	}
	return []string{"AlwaysAllow"}
}

// authorizersOf returns the modes of authorization, whoever says them.
func authorizersOf(p *checkedPod) (modes []string, flag string, f *finding) {
	if modes = p.authorizers(); modes != nil {
		return modes, "authorization-mode", nil
	}
	root, _, f := p.root("authorization-config")
	if f != nil {
		return nil, "", f
	}
	if list := yamlfile.Field(root, "authorizers"); list != nil {
		for _, item := range list.Content {
			if kind := yamlfile.Field(item, "type"); kind != nil {
				modes = append(modes, kind.Value)
			}
		}
	}
	if modes == nil { // kube-apiserver does not start with it
		none := fail("the file of --authorization-config names no authorizers", "authorization-config")
		return nil, "", &none
	}
	return modes, "authorization-config", nil
}

func judgeAlwaysAllow(_ *cisChecker, p *checkedPod) finding {
	modes, flag, f := authorizersOf(p)
	_, found := p.value("authorization-mode")
	switch {
	case f != nil:
		return *f
	case flag == "authorization-mode" && !found:
		return fail("not set, which is AlwaysAllow", "")
	case slices.Contains(modes, "AlwaysAllow"):
		return fail(strings.Join(modes, ","), flag)
	}
	return pass(strings.Join(modes, ","), flag)
}

func hasAuthorizer(name string) judge {
	return func(_ *cisChecker, p *checkedPod) finding {
		modes, flag, f := authorizersOf(p)
		switch {
		case f != nil:
			return *f
		case slices.Contains(modes, name):
			return pass(strings.Join(modes, ","), flag)
		}
		return fail(strings.Join(modes, ","), flag)
	}
}

// judgeEncryption looks at who encrypts secrets that are written. Keys are never
// looked at.
func judgeEncryption(_ *cisChecker, p *checkedPod) finding {
	if file, _ := p.value("encryption-provider-config"); file == "" {
		return fail("there is no encryption configuration: secrets are written as they are", "")
	}
	root, path, f := p.root("encryption-provider-config")
	if f != nil {
		return *f
	}
	resources := yamlfile.Field(root, "resources")
	if resources == nil {
		resources = &yaml.Node{}
	}
	for _, entry := range resources.Content {
		var resources []string
		if list := yamlfile.Field(entry, "resources"); list == nil || list.Decode(&resources) != nil || !covers(resources, "secrets") {
			continue
		}
		result := judgeProvider(yamlfile.Field(entry, "providers"))
		result.file, result.line = path, entry.Line
		result.note = othersMayRead(path)
		return result
	}
	result := fail("it has nothing for secrets", "")
	result.file = path
	return result
}

func judgeProvider(providers *yaml.Node) finding {
	if providers == nil || len(providers.Content) == 0 || len(providers.Content[0].Content) == 0 {
		return fail("it has no provider for secrets", "")
	}
	switch name := providers.Content[0].Content[0].Value; name {
	case "aescbc", "kms", "secretbox":
		return pass(name, "")
	case "aesgcm":
		return fail("aesgcm first, whose keys have to be changed after 200,000 writes", "")
	case "identity":
		return fail("identity first: secrets are written as they are", "")
	default:
		return fail(name+" first, which no kube-apiserver knows", "")
	}
}

func othersMayRead(path string) string {
	if info, err := os.Stat(path); err == nil && info.Mode().Perm()&0o077 != 0 && runtime.GOOS != "windows" {
		return "others may read the keys in it: chmod 600 " + shell.Quote(path)
	}
	return ""
}
