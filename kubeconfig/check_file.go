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
	"github.com/pkictl/pkictl/internal/shell"
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
	config := c.decode(data, path)
	if config == nil {
		c.broken = true
		return nil
	}
	locate(config, path)
	return config
}

// locate notes where entries come from, and takes relative paths from there, as
// client-go does.
func locate(config *api.Config, path string) {
	resolve := func(value any) {
		for _, ref := range references(value) {
			if *ref.path != "" {
				*ref.path = resolveIn(*ref.path, filepath.Dir(path))
			}
		}
	}
	for cluster := range maps.Values(config.Clusters) {
		cluster.LocationOfOrigin = path
		resolve(cluster)
	}
	for user := range maps.Values(config.AuthInfos) {
		user.LocationOfOrigin = path
		resolve(user)
		if user.Exec != nil && strings.ContainsRune(user.Exec.Command, filepath.Separator) {
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
	c.checkRights(file, contexts, info, 0o077, what, path)
}

// checkWritable checks that nobody but its owner can change a file that may be
// read by all, such as a CA. One that is not there is somebody else's finding.
func (c *checker) checkWritable(file string, contexts []string, what, path string) {
	if info, err := os.Stat(path); err == nil {
		c.checkRights(file, contexts, info, 0o022, what, path)
	}
}

// checkRights finds the rights of others in mask, and another owner.
func (c *checker) checkRights(file string, contexts []string, info fs.FileInfo, mask fs.FileMode, what, path string) {
	if runtime.GOOS == "windows" || !info.Mode().IsRegular() {
		return
	}
	if mode := info.Mode().Perm(); mode&mask != 0 {
		take := "chmod 600 "
		if mask == 0o022 {
			take = "chmod go-w "
		}
		c.find(file, contexts, "mode", "take that away with: "+take+shell.Quote(path), "others may %s %s: mode %04o", rights(mode&mask), what, mode)
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

// decode decodes a kubeconfig as kubectl does, and finds what kubectl passes
// over or cannot read. It returns nil where kubectl cannot use it.
func (c *checker) decode(data []byte, path string) *api.Config {
	if len(bytes.TrimSpace(data)) == 0 {
		c.find(path, nil, "syntax", "check that what wrote it did not fail", "the file is empty")
		return nil
	}
	doc, err := parseDocument(data, path)
	if err != nil { // kubectl may read some of it
		c.diagnose(err, data, path)
		config, _ := Parse(data, path)
		return config
	}
	c.checkCase(doc.root, path)
	if saysNothing(doc.config) && !isConfig(data) {
		c.find(path, nil, "syntax", failure.HintOf(noConfig(path)), "%v", noConfig(path))
		return nil
	}
	return doc.config
}

// diagnose says what is wrong with a file, with lines where they are known.
func (c *checker) diagnose(err error, data []byte, path string) {
	if line := lineWithTab(data); line > 0 && yaml.Unmarshal(data, new(yaml.Node)) != nil {
		c.find(path, nil, "syntax", "YAML is indented with spaces", "line %d is indented with a tab", line)
		return
	}
	before := len(c.report.Findings)
	var document yaml.Node
	if yaml.Unmarshal(data, &document) == nil && len(document.Content) > 0 {
		c.findDamaged(document.Content[0], path)
	}
	if len(c.report.Findings) == before {
		c.find(path, nil, "syntax", failure.HintOf(err), "%v", err)
	}
}

// checkCase finds lists that kubectl does not read, as it tells Users from users.
func (c *checker) checkCase(root *yaml.Node, path string) {
	for i := 0; i+1 < len(root.Content); i += 2 {
		key := root.Content[i]
		for _, s := range sections {
			if key.Value != s.list && strings.EqualFold(key.Value, s.list) {
				c.find(path, nil, "syntax", "write it as "+s.list, "kubectl does not read %q in line %d", key.Value, key.Line)
			}
		}
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

// dataFields are those in base64.
var dataFields = []string{"certificate-authority-data", "client-certificate-data", "client-key-data"}

// findDamaged finds data that is no base64.
func (c *checker) findDamaged(root *yaml.Node, path string) {
	for _, s := range []section{clusters, users} {
		for _, entry := range entries(valueOf(root, s.list)) {
			for _, field := range dataFields {
				value := valueOf(valueOf(entry, s.noun), field)
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
