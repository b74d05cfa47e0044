package cluster

import (
	"cmp"
	"crypto/x509"
	"errors"
	"io/fs"
	"os"
	"time"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/shell"
)

// runNeed says how a run depends on an entry of the layout.
type runNeed int

const (
	unused runNeed = iota
	optional
	required
)

// runNeedOf says how a run depends on the entry of that name. The keys of CAs are
// never required.
func runNeedOf(name string) runNeed {
	switch name {
	case NameCA, "apiserver", NameEtcdCA, "etcd/server", "apiserver-etcd-client", NameSA, managerCnf:
		return required
	case nameKubeletClient, NameFrontProxyCA, "front-proxy-client", "etcd/peer", NameAdmin, NameSuperAdmin:
		return optional
	}
	return unused
}

// runCheck reads what the components will read, and finds what would keep them
// from running, which they themselves say in the middle of a log.
type runCheck struct {
	dir   string // cluster directory
	now   time.Time
	found map[string]*Found // what is there, by name
	// noSigning says why kube-controller-manager cannot sign certificates.
	noSigning string
}

// checkRunnable checks all files of a cluster directory that a run needs. The
// error names the first that is missing, has ended, or does not fit the others.
func checkRunnable(dir string, withManager bool, now time.Time) (*runCheck, error) {
	c := &runCheck{dir: dir, now: now, found: map[string]*Found{}}
	if _, err := os.Stat(PKIDir(dir)); errors.Is(err, fs.ErrNotExist) {
		return nil, noPKI(dir)
	}
	for _, e := range Layout() {
		need := runNeedOf(e.Name)
		if need == unused || e.Name == managerCnf && !withManager {
			continue
		}
		if err := c.entry(e, need); err != nil {
			return nil, err
		}
	}
	_, err := serverName(c.found["apiserver"].Certificate)
	return c, err
}

// noPKI says that there is nothing to run. Of several nodes each has a cluster
// directory of its own.
func noPKI(dir string) error {
	if nodes, _, err := findDirectories(dir); err == nil && len(nodes) > 0 {
		return severalNodes(dir, nodes)
	}
	return failure.New(failure.Failed, "make one with: pkictl cluster init; or name another directory with --dir", "there is no PKI in %q", dir)
}

func severalNodes(dir string, nodes []directory) error {
	return failure.New(failure.Failed, "name that of one node, as in --dir "+shell.Quote(nodes[0].path),
		"%q holds the cluster directories of %d nodes", dir, len(nodes))
}

const repairHint = "see what is wrong with: pkictl cluster check; and mend it with: pkictl cluster init --repair"

func missing(path string) error {
	return failure.New(failure.Failed, "make what is missing with: pkictl cluster init", "the PKI is not complete: %q is missing", path)
}

func (c *runCheck) entry(e Entry, need runNeed) error {
	f := Find(c.dir, e)
	switch {
	case f.Absent() && need == optional:
		return nil
	case len(f.Problems) > 0:
		return f.Problems[0]
	}
	for _, path := range f.Missing {
		if e.Kind != KindCA || path != e.KeyPath(c.dir) {
			return missing(path)
		}
	}
	if e.Name == NameCA {
		c.noSigning = f.KeyProblem
		if f.isMissing(e.KeyPath(c.dir)) {
			c.noSigning = "is not there"
		}
	}
	c.found[e.Name] = f
	switch e.Kind {
	case KindKeyPair:
		return c.keyPair(f)
	case KindKubeconfig:
		return c.kubeconfig(f)
	}
	return c.certificate(f)
}

// certificate checks one with its key, in files of their own or in a kubeconfig.
func (c *runCheck) certificate(f *Found) error {
	e, cert, path := f.Entry, f.Certificate, f.Entry.CertPath(c.dir)
	if check := ca.CheckTime(cert, nil, c.now); check.Status == ca.CheckFailed {
		hint := "renew it with: pkictl cluster renew"
		if e.Kind == KindCA {
			hint = check.Hint
		}
		return failure.New(failure.Failed, hint, "certificate %q cannot be used: %s", path, check.Found)
	}
	if issuer := c.found[e.CA]; e.Kind != KindCA && issuer != nil {
		roots := ca.Roots{Certificates: append([]*x509.Certificate{issuer.Certificate}, issuer.Behind...)}
		if _, check := roots.Check(cert, f.Behind, c.now); check.Status == ca.CheckFailed {
			return failure.New(failure.Failed, otherCAHint, "certificate %q is not by the CA %q: %s", path, issuer.Entry.CertPath(c.dir), check.Found)
		}
	}
	for _, purpose := range e.Usages() {
		if check := ca.CheckUsage(cert, ca.Purpose(purpose)); check.Status == ca.CheckFailed {
			return failure.New(failure.Failed, repairHint, "certificate %q is of no use for a %s: it is for %s", path, purpose, check.Found)
		}
	}
	if e.Name == "etcd/server" && cert.VerifyHostname(loopback) != nil {
		return failure.New(failure.Failed, repairHint, "certificate %q does not name %s, where it is dialled", path, loopback)
	}
	switch {
	case e.Kind == KindCA && f.Key == nil: // nobody needs it, or not all of it
		return nil
	case f.Key == nil:
		return failure.New(failure.Failed, "Kubernetes cannot read such keys: decrypt it, or make it again", "key %q %s", e.KeyPath(c.dir), cmp.Or(f.KeyProblem, "is missing"))
	case !ca.EqualKeys(f.Key, cert.PublicKey):
		return failure.New(failure.Failed, repairHint, "key %q does not belong to certificate %q", e.KeyPath(c.dir), path)
	}
	return nil
}

// keyPair checks that the key by which tokens are signed is the one by which
// they are verified.
func (c *runCheck) keyPair(f *Found) error {
	if f.Key == nil || !f.isVerified() {
		return failure.New(failure.Failed, repairHint, "key %q does not belong to %q", f.Entry.KeyPath(c.dir), f.Entry.publicPath(c.dir))
	}
	return nil
}

// kubeconfig checks the client certificate, where the user has one, and that the
// API server's is trusted.
func (c *runCheck) kubeconfig(f *Found) error {
	if f.Certificate != nil {
		if err := c.certificate(f); err != nil {
			return err
		}
	}
	server := c.found["apiserver"]
	roots := ca.Roots{Name: f.Entry.CertPath(c.dir), Certificates: f.CAs}
	if _, check := roots.Check(server.Certificate, server.Behind, c.now); check.Status == ca.CheckFailed {
		return failure.New(failure.Failed, repairHint, "kubeconfig %q does not trust %q: %s", roots.Name, server.Entry.CertPath(c.dir), check.Found)
	}
	return nil
}
