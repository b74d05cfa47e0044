package kubeconfig

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"

	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
)

// MergeOptions say what comes into which kubeconfig.
type MergeOptions struct {
	Sources []string // kubeconfigs
	// Into are the kubeconfigs that kubectl would change: the one that was
	// named, or those of KUBECONFIG. What an entry replaces is replaced where it
	// is; what is new goes to the first that exists, or else to the last.
	Into []string

	Contexts []string // those that come over, with their clusters and users; none: all
	Rename   []string // contexts, OLD=NEW, or NEW where one comes over
	Replace  bool     // entries of the same name and other content
	Embed    bool     // files that are named in the entries

	SetCurrent     bool // the current context becomes that of the source, or the only one
	AllowExec      bool // entries with a command or an auth-provider
	AllowInsecure  bool // entries without TLS or its checks, or with a proxy
	AllowTokenFile bool // entries that send what is in a file
	DryRun         bool // nothing is locked or written

	// Waiting is told, once, that a lock is waited for, and Recovered that one
	// was left by a crash. Both may be nil.
	Waiting, Recovered func(lock string)
}

// What became of an entry of a source.
const (
	Added     = "added"
	Replaced  = "replaced"
	Unchanged = "unchanged" // it was there
)

// MergedEntry is an entry of a source and what became of it.
type MergedEntry struct {
	Kind   string `json:"kind"` // cluster, user or context
	Name   string `json:"name"`
	Was    string `json:"was,omitempty"` // its name in the source, where that is another
	Source string `json:"source"`
	File   string `json:"file"`
	Action string `json:"action"` // added, replaced or unchanged
}

// MergeResult says what a merge did.
type MergeResult struct {
	Files          []string // that were, or would be, written
	Entries        []MergedEntry
	CurrentContext string   // as it is now
	CurrentChanged bool     //
	Warnings       []string // what the user should know of it

	// refs are the old and new names of the cluster, and those of the user, of
	// each context, by source and old name.
	refs map[string][4]string
}

// Merge brings contexts of kubeconfigs, with their clusters and users, into
// another one. All else in there stays, to the byte where YAML allows it, and
// unknown fields come along. A name that is taken by other content is an error,
// nothing is changed then; so is what would run a command or weaken TLS, unless
// it is allowed, of kind Refused.
//
// It takes kubectl's lock and holds it from before it reads until it has
// written. Each file is replaced in one step; where there are several, a crash
// may come between them, and the same merge then completes it.
func Merge(ctx context.Context, o MergeOptions) (*MergeResult, error) {
	sources := make([]*document, len(o.Sources))
	for i, path := range o.Sources {
		var err error
		if sources[i], err = readDocument(path, false); err != nil {
			return nil, err
		}
	}
	o.Into = distinct(o.Into)
	home := defaultFile(o.Into)
	held := &locks{}
	if !o.DryRun {
		made, err := makeDir(filepath.Dir(realPath(home)))
		if err != nil {
			return nil, err
		}
		if held, err = lockAll(ctx, withDirectory(o.Into), lockEvents{o.Waiting, o.Recovered}); err != nil {
			return nil, err
		}
		defer func() {
			held.release()
			for _, dir := range slices.Backward(made) {
				_ = os.Remove(dir) // stays if it holds anything
			}
		}()
	}
	var into []*document
	for _, path := range o.Into {
		if !o.DryRun && held.failed[path] == nil {
			store.DropUnfinished(realPath(path))
		}
		doc, err := readDocument(path, true)
		if err != nil {
			return nil, err
		}
		into = append(into, doc)
	}
	p := newPlan(o, into, home)
	if err := p.makeUp(sources); err != nil {
		return nil, err
	}
	return p.carryOut(held)
}

// MergeData merges a source into a target, both in memory. It returns nil where
// nothing changes. Paths in the source are relative to the name of the source.
func MergeData(target, source []byte, targetName, sourceName string, o MergeOptions) ([]byte, error) {
	from, err := parseDocument(source, sourceName)
	if err != nil {
		return nil, err
	}
	into, err := parseDocument(target, targetName)
	if err != nil {
		return nil, err
	}
	p := newPlan(o, []*document{into}, targetName)
	if err := p.makeUp([]*document{from}); err != nil || p.changes[into].isEmpty() {
		return nil, err
	}
	data, _, err := into.change(p.changes[into], p.want[into])
	return data, err
}

// distinct returns the files without those that are named again.
func distinct(paths []string) []string {
	var list, seen []string
	for _, path := range paths {
		if real := realPath(path); !slices.Contains(seen, real) {
			list, seen = append(list, path), append(seen, real)
		}
	}
	return list
}

// defaultFile returns where kubectl puts what is new: PathOptions.GetDefaultFilename
// in k8s.io/client-go/tools/clientcmd/config.go.
func defaultFile(paths []string) string {
	for _, path := range paths {
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	return paths[len(paths)-1]
}

// withDirectory returns the files whose directory is there: the others cannot
// be, and need no lock.
func withDirectory(paths []string) []string {
	var found []string
	for _, path := range paths {
		if _, err := os.Stat(filepath.Dir(realPath(path))); err == nil {
			found = append(found, path)
		}
	}
	return found
}

// makeDir makes a directory and those above it, and returns those that were
// not there.
func makeDir(dir string) ([]string, error) {
	var missing []string
	for d := dir; ; d = filepath.Dir(d) {
		if _, err := os.Stat(d); !errors.Is(err, fs.ErrNotExist) || d == filepath.Dir(d) {
			break
		}
		missing = append(missing, d)
	}
	slices.Reverse(missing)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		for _, d := range slices.Backward(missing) {
			_ = os.Remove(d) // what was made of it
		}
		var pathErr *fs.PathError
		if errors.As(err, &pathErr) {
			err = pathErr.Err
		}
		return nil, failure.Wrap(err, failure.Failed, "choose another place with --into", "cannot make directory %q", dir)
	}
	return missing, nil
}

// carryOut writes what was planned.
func (p *plan) carryOut(held *locks) (*MergeResult, error) {
	var outputs []store.File
	for _, doc := range p.into {
		change := p.changes[doc]
		if change.isEmpty() {
			continue
		}
		if err := held.failed[doc.path]; err != nil {
			return nil, err
		}
		data, edited, err := doc.change(change, p.want[doc])
		if err != nil {
			return nil, err
		}
		if !edited {
			p.warn("%s is written anew: all that it says stays, comments too, but not where they stand in a line", doc.path)
		}
		p.warnOfReaders(doc)
		path := realPath(doc.path)
		if err := store.CheckReplace(path); err != nil {
			return nil, err
		}
		mode := fs.FileMode(0o600)
		if info, err := os.Stat(path); err == nil {
			mode = info.Mode().Perm() // as it is, readers too
		}
		outputs = append(outputs, store.File{Path: path, Data: data, Mode: mode, Keep: true})
		p.result.Files = append(p.result.Files, doc.path)
	}
	if p.DryRun {
		return p.result, nil
	}
	for _, file := range outputs {
		if err := store.ReplaceFile(file); err != nil {
			return nil, err
		}
	}
	return p.result, nil
}

func (p *plan) warn(format string, args ...any) {
	p.result.Warnings = append(p.result.Warnings, fmt.Sprintf(format, args...))
}

// warnOfReaders warns when a secret comes into a file that others may read.
func (p *plan) warnOfReaders(doc *document) {
	info, err := os.Stat(doc.path)
	if err != nil || runtime.GOOS == "windows" || info.Mode().Perm()&0o044 == 0 {
		return
	}
	c := p.changes[doc]
	for _, item := range slices.Concat(c.added[users], slices.Collect(maps.Values(c.replaced[users]))) {
		if user := p.want[doc].AuthInfos[nameOf(item)]; user != nil && hasSecret(user) {
			p.warn("others may read %s, which now holds a secret of user %q: chmod 600 %s", doc.path, nameOf(item), quoteIfNeeded(doc.path))
			return
		}
	}
}

func hasSecret(user *api.AuthInfo) bool {
	return len(user.ClientKeyData) > 0 || user.Token != "" || user.Password != "" || user.AuthProvider != nil
}

// currentContext returns the current context that kubectl sees: the first.
func currentContext(docs []*document) string {
	for _, doc := range docs {
		if doc.config.CurrentContext != "" {
			return doc.config.CurrentContext
		}
	}
	return ""
}

// valueIn returns an entry as kubectl reads it, nil where there is none.
func (s section) valueIn(config *api.Config, name string) any {
	switch s {
	case clusters:
		if c := config.Clusters[name]; c != nil {
			return c
		}
	case users:
		if u := config.AuthInfos[name]; u != nil {
			return u
		}
	default:
		if c := config.Contexts[name]; c != nil {
			return c
		}
	}
	return nil
}

// put puts an entry into a kubeconfig.
func (s section) put(config *api.Config, name string, value any) {
	switch value := value.(type) {
	case *api.Cluster:
		config.Clusters[name] = value
	case *api.AuthInfo:
		config.AuthInfos[name] = value
	case *api.Context:
		config.Contexts[name] = value
	}
}
