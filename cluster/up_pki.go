package cluster

import (
	"crypto/x509"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
)

// runPair is a certificate and its key that a component reads. The names are
// those in the PKI directory, without .crt and .key.
type runPair struct {
	name    string
	issuer  string // empty: it is a CA
	purpose ca.Purpose
	host    string // that it must name, empty: none
	// optional are pairs without which the components run as well.
	optional bool
	// noKey are CAs whose key no component needs.
	noKey bool
}

// runPairs are all pairs that the components read, CAs before those they signed.
var runPairs = []runPair{
	{name: "ca", noKey: true},
	{name: "apiserver", issuer: "ca", purpose: ca.PurposeServer},
	{name: "apiserver-kubelet-client", issuer: "ca", purpose: ca.PurposeClient, optional: true},
	{name: "front-proxy-ca", optional: true, noKey: true},
	{name: "front-proxy-client", issuer: "front-proxy-ca", purpose: ca.PurposeClient, optional: true},
	{name: "etcd/ca", noKey: true},
	{name: "etcd/server", issuer: "etcd/ca", purpose: ca.PurposeServer, host: loopback},
	{name: "etcd/peer", issuer: "etcd/ca", purpose: ca.PurposeServer, optional: true},
	{name: "apiserver-etcd-client", issuer: "etcd/ca", purpose: ca.PurposeClient},
}

// runCheck reads what the components will read and finds what would keep them
// from running, which they themselves say in the middle of a log.
type runCheck struct {
	pki string
	now time.Time
	cas map[string]ca.Roots // by the name of the pair
	// server are the API server's certificate and those behind it.
	server []*x509.Certificate
}

// checkRunnable checks all files of a PKI directory that a run needs. The error
// names the first that is missing, has ended, or does not fit the others.
func checkRunnable(pki string, now time.Time) (*runCheck, error) {
	c := &runCheck{pki: pki, now: now, cas: map[string]ca.Roots{}}
	if _, err := os.Stat(pki); errors.Is(err, fs.ErrNotExist) {
		return nil, noPKI(filepath.Dir(pki))
	}
	for _, pair := range runPairs {
		if err := c.pair(pair); err != nil {
			return nil, err
		}
	}
	if _, err := serverName(c.path("apiserver.crt")); err != nil {
		return nil, err
	}
	return c, c.serviceAccount()
}

// noPKI says that there is nothing to run. With several nodes each has a cluster
// directory of its own.
func noPKI(dir string) error {
	nodes, err := filepath.Glob(filepath.Join(dir, "*", "pki"))
	if err == nil && len(nodes) > 0 {
		return failure.New(failure.Failed, "name the directory of one node, as in --dir "+ca.ShellQuote(filepath.Dir(nodes[0])),
			"%q holds the cluster directories of %d nodes", dir, len(nodes))
	}
	return failure.New(failure.Failed, "make the PKI with: pkictl cluster init, or name another directory with --dir", "there is no PKI in %q", dir)
}

func (c *runCheck) path(name string) string { return filepath.Join(c.pki, filepath.FromSlash(name)) }

func (c *runCheck) pair(p runPair) error {
	certs, err := c.certificates(p)
	if certs == nil || err != nil {
		return err
	}
	path := c.path(p.name + ".crt")
	if check := ca.CheckTime(certs[0], nil, c.now); check.Status == ca.CheckFailed {
		return failure.New(failure.Failed, renewHint(p, check), "certificate %q is %s", path, check.Found)
	}
	if p.issuer == "" {
		c.cas[p.name] = ca.Roots{Name: c.path(p.name + ".crt"), Certificates: certs}
		return c.key(p, certs[0])
	}
	if _, check := c.cas[p.issuer].Check(certs[0], certs[1:], c.now); check.Status == ca.CheckFailed {
		return failure.New(failure.Failed, repairHint, "certificate %q is not by the CA %q: %s", path, c.path(p.issuer+".crt"), check.Found)
	}
	if check := ca.CheckUsage(certs[0], p.purpose); check.Status == ca.CheckFailed {
		return failure.New(failure.Failed, repairHint, "certificate %q is of no use for a %s: it is for %s", path, p.purpose, check.Found)
	}
	if p.name == "apiserver" {
		c.server = certs
	}
	if p.host != "" && certs[0].VerifyHostname(p.host) != nil {
		return failure.New(failure.Failed, repairHint, "certificate %q does not name %s, where it is dialled", path, p.host)
	}
	return c.key(p, certs[0])
}

const repairHint = "see what is wrong with: pkictl cluster check; and mend it with: pkictl cluster init --repair"

func renewHint(p runPair, check ca.Check) string {
	if p.issuer == "" {
		return check.Hint
	}
	return "renew it with: pkictl cluster renew"
}

// certificates reads those of a pair, nil where it is optional and not there.
func (c *runCheck) certificates(p runPair) ([]*x509.Certificate, error) {
	path := c.path(p.name + ".crt")
	data, err := store.Read(path, store.MaxPEM)
	if errors.Is(err, fs.ErrNotExist) {
		if p.optional || p.issuer != "" && c.cas[p.issuer].Certificates == nil {
			return nil, nil
		}
		return nil, missing(path)
	}
	if err != nil {
		return nil, err
	}
	items, err := ca.Decode(data, path)
	if err != nil {
		return nil, err
	}
	if certs := ca.Certificates(items); len(certs) > 0 {
		return certs, nil
	}
	return nil, failure.New(failure.Failed, "restore the file from a backup", "%q holds no certificate", path)
}

func missing(path string) error {
	return failure.New(failure.Failed, "make what is missing with: pkictl cluster init", "the PKI is not complete: %q is missing", path)
}

func (c *runCheck) key(p runPair, cert *x509.Certificate) error {
	path := c.path(p.name + ".key")
	info, err := ca.KeyBeside(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && (p.noKey || p.optional):
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return missing(path)
	case err != nil:
		return err
	case info.Public == nil:
		if p.issuer == "" && p.name != "ca" {
			return nil // nobody reads it here
		}
		return failure.New(failure.Failed, "decrypt it, or put it elsewhere: then requests for certificates are not signed",
			"key %q is encrypted or in a token, which Kubernetes cannot read", path)
	}
	if check := ca.CheckKey(cert, c.path(p.name+".crt"), info.Public, path); check.Status == ca.CheckFailed {
		return failure.New(failure.Failed, repairHint, "key %q does not belong to certificate %q", path, c.path(p.name+".crt"))
	}
	return nil
}

// serviceAccount checks that sa.key, by which tokens are signed, is that of
// sa.pub, by which they are verified.
func (c *runCheck) serviceAccount() error {
	private, public := c.path("sa.key"), c.path("sa.pub")
	info, err := ca.KeyBeside(private)
	if errors.Is(err, fs.ErrNotExist) {
		return missing(private)
	}
	if err != nil {
		return err
	}
	data, err := store.Read(public, store.MaxPEM)
	if errors.Is(err, fs.ErrNotExist) {
		return missing(public)
	}
	if err != nil {
		return err
	}
	items, err := ca.Decode(data, public)
	if err != nil {
		return err
	}
	for _, item := range items {
		if item.Key != nil && info.Public != nil && ca.EqualKeys(item.Key.Public, info.Public) {
			return nil
		}
	}
	return failure.New(failure.Failed, repairHint, "key %q does not belong to %q", private, public)
}
