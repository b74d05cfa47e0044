package kubeconfig

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
)

// load reads the files into views.
func (c *checker) load() {
	if len(c.o.Files) > 0 {
		for _, path := range c.o.Files {
			if config := c.read(path); config != nil {
				c.views = append(c.views, &view{config: config, name: path})
			}
		}
		return
	}
	var together *view
	for _, path := range c.o.Paths {
		if _, err := os.Stat(path); os.IsNotExist(err) {
			continue // as kubectl does
		}
		config := c.read(path)
		switch {
		case config == nil:
		case together == nil:
			together = &view{config: config, name: path}
			c.views = append(c.views, together)
		default:
			together.add(config)
		}
	}
}

// add adds the entries of a kubeconfig. As for kubectl, what is there stays.
func (v *view) add(other *api.Config) {
	addMissing(v.config.Clusters, other.Clusters)
	addMissing(v.config.AuthInfos, other.AuthInfos)
	addMissing(v.config.Contexts, other.Contexts)
	if v.config.CurrentContext == "" {
		v.config.CurrentContext = other.CurrentContext
	}
}

func addMissing[T any](entries, others map[string]*T) {
	for name, entry := range others {
		if entries[name] == nil {
			entries[name] = entry
		}
	}
}

// read reads a kubeconfig, and says what is wrong with the file. It returns nil
// where kubectl cannot use it.
func (c *checker) read(path string) *api.Config {
	file := CheckedFile{Path: path}
	defer func() { c.report.Files = append(c.report.Files, file) }()
	info, err := os.Stat(path)
	var data []byte
	switch {
	case err != nil:
		err = store.ReadError(err, path)
	case info.IsDir():
		err = failure.New(failure.Failed, "name a file in it", "%q is a directory", path)
	default:
		file.Mode = fmt.Sprintf("%04o", info.Mode().Perm())
		data, err = store.Read(path, store.MaxYAML)
	}
	if err != nil {
		c.report.Unread = append(c.report.Unread, err)
		file.Error = err.Error()
		return nil
	}
	c.checkMode(path, nil, info, "the kubeconfig", path)
	config, err := Parse(data, path)
	if err != nil {
		c.diagnose(data, path)
		return nil
	}
	locate(config, path)
	return config
}

// locate notes where entries come from, and takes relative paths from there, as
// client-go does.
func locate(config *api.Config, path string) {
	dir := filepath.Dir(path)
	at := func(file *string) {
		if *file != "" {
			*file = resolveIn(*file, dir)
		}
	}
	for cluster := range maps.Values(config.Clusters) {
		cluster.LocationOfOrigin = path
		at(&cluster.CertificateAuthority)
	}
	for user := range maps.Values(config.AuthInfos) {
		user.LocationOfOrigin = path
		at(&user.ClientCertificate)
		at(&user.ClientKey)
		at(&user.TokenFile)
		if user.Exec != nil && strings.ContainsRune(user.Exec.Command, filepath.Separator) {
			at(&user.Exec.Command)
			if abs, err := filepath.Abs(user.Exec.Command); err == nil {
				user.Exec.Command = abs // without a separator it would be looked for in PATH
			}
		}
	}
	for chosen := range maps.Values(config.Contexts) {
		chosen.LocationOfOrigin = path
	}
}

// checkMode checks that a file with a key, or that decides where one is sent,
// is its owner's alone. Windows has no such modes.
func (c *checker) checkMode(file string, contexts []string, info fs.FileInfo, what, path string) {
	if runtime.GOOS == "windows" || !info.Mode().IsRegular() {
		return
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		c.find(file, contexts, "mode", "take that away with: chmod 600 "+quote(path), "others may %s %s: mode %04o", rights(mode), what, mode)
	}
	owner, known := ownerOf(info)
	if me := os.Geteuid(); known && owner != me && owner != 0 {
		say := c.find
		if me == 0 { // who looks after the files of others
			say = c.note
		}
		say(file, contexts, "mode", "take a copy of your own", "%s belongs to the user with the number %d, who can change it", what, owner)
	}
}

func rights(mode fs.FileMode) string {
	switch {
	case mode&0o022 == 0:
		return "read"
	case mode&0o044 == 0:
		return "change"
	}
	return "read and change"
}

// diagnose says why kubectl cannot use a file, with lines. Causes of client-go
// are left out: they quote whole entries, keys included.
func (c *checker) diagnose(data []byte, path string) {
	c.broken = true
	const hint = "kubectl cannot use any of it; correct the file, or restore it from a backup"
	if len(bytes.TrimSpace(data)) == 0 {
		c.find(path, nil, "syntax", "check that what wrote it did not fail", "the file is empty")
		return
	}
	var document yaml.Node
	if err := yaml.Unmarshal(data, &document); err != nil {
		if line := lineWithTab(data); line > 0 {
			c.find(path, nil, "syntax", "YAML is indented with spaces", "line %d is indented with a tab", line)
			return
		}
		c.find(path, nil, "syntax", hint, "it is not YAML: %s", strings.TrimPrefix(err.Error(), "yaml: "))
		return
	}
	before := len(c.report.Findings)
	if len(document.Content) > 0 {
		c.findDuplicates(document.Content[0], path)
		c.findDamaged(document.Content[0], path)
	}
	if len(c.report.Findings) == before {
		c.find(path, nil, "syntax", "a kubeconfig begins with apiVersion: v1 and kind: Config", "it is not a kubeconfig")
	}
}

// lineWithTab returns the number of the first line whose indentation has a tab.
func lineWithTab(data []byte) int {
	for i, line := range bytes.Split(data, []byte("\n")) {
		if indent := line[:len(line)-len(bytes.TrimLeft(line, " \t"))]; bytes.ContainsRune(indent, '\t') {
			return i + 1
		}
	}
	return 0
}

// lists are those of a kubeconfig, with what an entry is called.
var lists = []struct{ list, entry string }{{"clusters", "cluster"}, {"users", "user"}, {"contexts", "context"}}

// findDuplicates finds names that stand twice in a list.
func (c *checker) findDuplicates(root *yaml.Node, path string) {
	for _, l := range lists {
		lines := map[string]int{}
		for _, entry := range entries(valueOf(root, l.list)) {
			name := valueOf(entry, "name")
			if name == nil {
				continue
			}
			if first, again := lines[name.Value]; again {
				c.find(path, nil, "names", "kubectl cannot use any of the file; rename one or take it out",
					"there are two %s %q, in lines %d and %d", l.list, name.Value, first, name.Line)
				continue
			}
			lines[name.Value] = name.Line
		}
	}
}

// dataFields are those in base64.
var dataFields = []string{"certificate-authority-data", "client-certificate-data", "client-key-data"}

// findDamaged finds data that is no base64.
func (c *checker) findDamaged(root *yaml.Node, path string) {
	for _, l := range lists[:2] {
		for _, entry := range entries(valueOf(root, l.list)) {
			for _, field := range dataFields {
				value := valueOf(valueOf(entry, l.entry), field)
				if value == nil {
					continue
				}
				if _, err := base64.StdEncoding.DecodeString(value.Value); err != nil {
					c.find(path, nil, "syntax", "kubectl cannot use any of the file; write the data anew",
						"%s in line %d is not base64", field, value.Line)
				}
			}
		}
	}
}

// checkDifferent finds an embedded certificate where a file that another user
// names has one of the same issuer for the same person.
func (c *checker) checkDifferent(v *view) {
	names := slices.Sorted(maps.Keys(v.users))
	type person struct{ issuer, subject string }
	files := map[person]*userState{}
	of := func(user *userState) person { return person{string(user.cert.RawIssuer), string(user.cert.RawSubject)} }
	for _, name := range names {
		if user := v.users[name]; user.cert != nil && len(user.entry.ClientCertificateData) == 0 {
			if known := files[of(user)]; known == nil || known.cert.NotBefore.Before(user.cert.NotBefore) {
				files[of(user)] = user
			}
		}
	}
	for _, name := range names {
		user := v.users[name]
		if user.cert == nil || len(user.entry.ClientCertificateData) == 0 {
			continue
		}
		if newer := files[of(user)]; newer != nil && newer.cert.NotBefore.After(user.cert.NotBefore) {
			c.find(user.entry.LocationOfOrigin, user.contexts, "drift", "embed the newer one, or take one of the two users out",
				"the embedded certificate of user %q is older than that in %s", name, newer.entry.ClientCertificate)
		}
	}
}
