package cluster

import (
	"cmp"
	"context"
	"crypto/x509"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
	"github.com/pkictl/pkictl/kubeconfig"
)

// renewPlan is what Renew is to do, in all cluster directories.
type renewPlan struct {
	RenewOptions
	dirs []*renewDir // sorted by their paths
	all  []*renewDir // with those that RenewOptions.Node leaves out: they may have the keys of CAs
	// signers are the CAs with their keys, by the certificate.
	signers map[string]*renewSigner
	noKeys  bool // of CAs are needed
}

// renewDir is the cluster directory of one node.
type renewDir struct {
	name, dir string
	node      *Node      // nil where nothing says what it was made for
	store     *store.Dir // locked; nil in a dry run
	written   bool
	items     []*renewItem
}

// renewItem is one entry in one cluster directory.
type renewItem struct {
	dir   *renewDir
	found *Found
	named bool // asked for by its name

	state    RenewalState
	err      error  // of one that failed
	why      string // one was skipped
	signer   *ca.CA // with its key loaded
	holding  *ca.Holding
	member   ca.Member
	renewed  *x509.Certificate
	warnings []string
}

func (item *renewItem) fail(err error) { item.state, item.err = RenewalFailed, err }

func (item *renewItem) path() string { return item.found.Entry.CertPath(item.found.Dir) }

// plan finds the cluster directories.
func (o RenewOptions) plan() (*renewPlan, error) {
	if o.Key == string(ca.Ed25519) {
		return nil, failure.New(failure.Usage, "choose another kind", "an Ed25519 key cannot serve a control plane: kubeadm and parts of Kubernetes do not load it")
	}
	p := &renewPlan{RenewOptions: o, signers: map[string]*renewSigner{}}
	var err error
	if p.all, err = findDirs(resolveDir(o.Dir)); err != nil {
		return nil, err
	}
	p.dirs = p.all
	if o.Node == "" {
		return p, nil
	}
	p.dirs = nil
	var names []string
	for _, d := range p.all {
		names = append(names, cmp.Or(d.name, "one that is not named"))
		if d.name == o.Node {
			p.dirs = append(p.dirs, d)
		}
	}
	if p.dirs == nil {
		hint := "there are: " + strings.Join(names, ", ")
		if similar := failure.Closest(o.Node, names); similar != "" {
			hint = "did you mean " + similar + "? " + hint
		}
		return nil, failure.New(failure.Usage, hint, "there is no cluster directory of node %s in %q", shown(o.Node), o.Dir)
	}
	return p, nil
}

// findDirs finds the cluster directory of a node, or those of several below dir.
func findDirs(dir string) ([]*renewDir, error) {
	found, _, err := findDirectories(dir)
	var list []*renewDir
	for _, d := range found {
		list = append(list, &renewDir{name: d.name, dir: d.path, node: d.node})
	}
	slices.SortFunc(list, func(a, b *renewDir) int { return strings.Compare(a.dir, b.dir) })
	return list, err
}

// look finds out what there is, and what is to be done about it.
func (p *renewPlan) look(ctx context.Context) error {
	some := false
	for _, d := range p.dirs {
		for _, e := range Layout() {
			named := slices.Contains(p.Names, e.Name)
			isAsked := named || (len(p.Names) == 0 && (e.Name != NameKubelet || p.IncludeKubelet)) || (e.Name == NameKubelet && p.IncludeKubelet)
			if !e.isRenewable() || !isAsked {
				continue
			}
			item := &renewItem{dir: d, found: Find(d.dir, e), named: named}
			d.items = append(d.items, item)
			p.decide(ctx, item)
			some = some || item.state != RenewalAbsent
		}
	}
	if !some {
		return failure.New(failure.Failed, "make them with: pkictl cluster init; or name another directory with --dir, as in --dir /etc/kubernetes",
			"there is no certificate of a control plane in %q", p.Dir)
	}
	return nil
}

// decide says what becomes of an entry.
func (p *renewPlan) decide(ctx context.Context, item *renewItem) {
	f := item.found
	switch {
	case f.Absent() && item.named:
		item.fail(failure.New(failure.Failed, "make it with: pkictl cluster init", "%q is not there", item.path()))
	case f.Absent():
		item.state = RenewalAbsent
	case f.Certificate != nil && p.Within > 0 && f.Certificate.NotAfter.After(p.Now.Add(p.Within)):
		item.state = RenewalNotDue
	case f.Rotated != "" && f.Entry.Name == NameKubelet:
		item.leave(fmt.Sprintf("the kubelet renews its certificate by itself, in %q", f.Rotated), "restart it if it does not: systemctl restart kubelet")
	default:
		if err := p.check(item); err != nil {
			item.fail(err)
			return
		}
		p.findSigner(ctx, item)
	}
}

// leave leaves an entry to others; who has named it is told by an error.
func (item *renewItem) leave(why, hint string) {
	if item.named {
		item.fail(failure.New(failure.Failed, hint, "%q is not renewed: %s", item.path(), why))
		return
	}
	item.state, item.why = RenewalSkipped, why
}

// check says why the files of an entry cannot be replaced by new ones.
func (p *renewPlan) check(item *renewItem) error {
	f := item.found
	path := item.path()
	if f.Problems != nil {
		return f.Problems[0]
	}
	for _, path := range f.Entry.Paths(f.Dir) {
		if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() {
			return failure.New(failure.Failed, "put the file itself in its place, or renew it where it is",
				"%q is a link, or no plain file, and is not replaced", path)
		}
	}
	switch {
	case f.Certificate == nil && f.Entry.Kind == KindKubeconfig:
		return failure.New(failure.Failed, "make it anew with: pkictl cluster init --repair", "kubeconfig %q logs in without a client certificate", path)
	case f.Certificate == nil:
		return failure.New(failure.Failed, "make it with: pkictl cluster init --repair", "there is a key, but no certificate %q to make another one like it", path)
	case f.Rotated != "":
		return failure.New(failure.Failed, "renew that file with: pkictl renew", "the certificate of %q is in another file, %q", path, f.Rotated)
	case f.KeyProblem != "":
		return failure.New(failure.Failed, "make the pair anew with: pkictl cluster init --repair", "the key of %q %s, and is not replaced by one that is not", path, f.KeyProblem)
	case p.ReuseKey && f.Key == nil:
		return failure.New(failure.Failed, "leave --reuse-key out for a new one", "there is no key of %q to keep", path)
	case p.ReuseKey && !ca.EqualKeys(f.Key, f.Certificate.PublicKey):
		return failure.New(failure.Failed, "leave --reuse-key out for a new one", "the key in %q is not that of the certificate", f.Entry.KeyPath(f.Dir))
	}
	return nil
}

// replaceInKubeconfig returns a kubeconfig with the new credential in it.
func (item *renewItem) replaceInKubeconfig(old *ca.Holding, renewed ca.Credential) ([]store.File, error) {
	if item.found.Entry.Kind != KindKubeconfig {
		return nil, nil
	}
	path := item.path()
	data, err := store.Read(path, store.MaxYAML)
	if err != nil {
		return nil, err
	}
	data, err = kubeconfig.Replace(data, path, old.Certificate, renewed.CertPEM, renewed.KeyPEM)
	if err == nil && data == nil {
		err = failure.New(failure.Failed, "run the command again", "kubeconfig %q was changed in between", path)
	}
	return []store.File{{Path: path, Data: data, Mode: 0o600, Keep: true}}, err
}

// endsWithCA says that the new certificate is valid for a shorter time than the old one was.
func (item *renewItem) endsWithCA(p *renewPlan) string {
	end := item.signer.Certificate.NotAfter
	if !item.renewed.NotAfter.Equal(end) || p.Validity != "" {
		return ""
	}
	return "it ends with its CA on " + end.Format(time.DateOnly) + ", earlier than the old one's validity would have it: it is time for a new CA"
}
