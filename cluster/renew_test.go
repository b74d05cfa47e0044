package cluster

import (
	"crypto/tls"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
)

// renewSite makes a cluster directory at a time.
func renewSite(t *testing.T, now time.Time) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "kubernetes")
	_, err := Init(t.Context(), InitOptions{Dir: dir, Now: now, Settings: Settings{Nodes: []NodeSettings{{Name: "cp-1", Address: "10.0.0.11"}}}})
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// filesOf reads all files below a directory but those of the store.
func contentsOf(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.Contains(path, ".staging") || strings.Contains(path, "inventory.db") || entry.Name() == ".lock" {
			return err
		}
		data, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) { // a link to nowhere
			err = nil
		}
		files[path] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// renewCase is a directory that is not as it should be.
type renewCase struct {
	name    string
	prepare func(t *testing.T, dir string)
	options RenewOptions
	later   time.Duration // than the directory was made
	failed  string        // names of the entries that stay as they are
	says    string        // why
	hint    string
	warns   string // of those that are renewed
}

func inDir(change func(path string) error, path string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		t.Helper()
		if err := change(filepath.Join(dir, path)); err != nil {
			t.Fatal(err)
		}
	}
}

func copyOver(from, to string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		t.Helper()
		data, err := os.ReadFile(filepath.Join(dir, from))
		if err != nil {
			t.Fatal(err)
		}
		testWrite(t, filepath.Join(dir, to), data)
	}
}

const (
	ofCA   = "apiserver apiserver-kubelet-client admin.conf super-admin.conf controller-manager.conf scheduler.conf"
	ofEtcd = "etcd/server etcd/peer etcd/healthcheck-client apiserver-etcd-client"
	ofAll  = ofCA + " front-proxy-client " + ofEtcd
)

var renewCases = []renewCase{
	{name: "as it should be"},
	{name: "all have expired", later: 2 * ca.Year},
	{name: "the CAs have expired", later: 11 * ca.Year, failed: ofAll, says: "expired on", hint: "a CA is not renewed"},
	{name: "the clock is slow", later: -time.Hour, failed: ofAll, says: "is not valid before", hint: "check the clock"},
	{name: "the CAs end soon", later: 9*ca.Year + 300*ca.Day, warns: "it ends with its CA on"},
	{name: "another's CA key", prepare: copyOver("pki/etcd/ca.key", "pki/ca.key"), failed: ofCA, says: "does not belong to certificate", hint: "restore the pair"},
	{name: "damaged CA key", prepare: inDir(func(path string) error { return os.WriteFile(path, []byte("noise"), 0o600) }, "pki/etcd/ca.key"),
		failed: ofEtcd, says: "holds no private key"},
	{name: "another's CA certificate", prepare: copyOver("pki/etcd/ca.crt", "pki/front-proxy-ca.crt"), failed: "front-proxy-client", says: `is not signed by`, hint: "cluster check"},
	{name: "no CA certificate", prepare: inDir(os.Remove, "pki/front-proxy-ca.crt"), failed: "front-proxy-client", says: "there is no CA"},
	{name: "no CA", prepare: copyOver("pki/apiserver.crt", "pki/front-proxy-ca.crt"), failed: "front-proxy-client", says: "not the certificate of a CA"},
	{name: "another CA of that name", prepare: func(t *testing.T, dir string) {
		other := renewSite(t, time.Now())
		for _, name := range []string{"pki/apiserver.crt", "pki/apiserver.key"} {
			data, err := os.ReadFile(filepath.Join(other, name))
			if err != nil {
				t.Fatal(err)
			}
			testWrite(t, filepath.Join(dir, name), data)
		}
	}, failed: "apiserver", says: "by another CA of that name", hint: "cluster check"},
	{name: "a kubeconfig that is a link", prepare: func(t *testing.T, dir string) {
		inDir(func(path string) error { return os.Rename(path, path+".real") }, "admin.conf")(t, dir)
		inDir(func(path string) error { return os.Symlink("admin.conf.real", path) }, "admin.conf")(t, dir)
	}, failed: "admin.conf", says: "is a link", hint: "put the file itself in its place"},
	{name: "a link to nowhere", prepare: func(t *testing.T, dir string) {
		inDir(os.Remove, "admin.conf")(t, dir)
		inDir(func(path string) error { return os.Symlink("nowhere", path) }, "admin.conf")(t, dir)
	}, failed: "admin.conf", says: "cannot read"},
	{name: "no key", prepare: inDir(os.Remove, "pki/etcd/peer.key"), warns: "had no key that belongs to it"},
	{name: "another's key", prepare: copyOver("pki/apiserver.key", "pki/etcd/peer.key"), warns: "had no key that belongs to it"},
	{name: "another's key to keep", prepare: copyOver("pki/apiserver.key", "pki/etcd/peer.key"), options: RenewOptions{ReuseKey: true},
		failed: "etcd/peer", says: "is not that of the certificate", hint: "--reuse-key"},
	{name: "no certificate", prepare: inDir(os.Remove, "pki/etcd/peer.crt"), failed: "etcd/peer", says: "no certificate", hint: "cluster init"},
	{name: "a damaged certificate", prepare: inDir(func(path string) error { return os.Truncate(path, 300) }, "pki/etcd/peer.crt"), failed: "etcd/peer", says: "etcd/peer.crt"},
	{name: "a kubeconfig that is none", prepare: inDir(func(path string) error { return os.WriteFile(path, []byte("a: [\n"), 0o600) }, "scheduler.conf"),
		failed: "scheduler.conf", says: "scheduler.conf"},
	{name: "a kubeconfig with a token", prepare: func(t *testing.T, dir string) {
		testWrite(t, filepath.Join(dir, "scheduler.conf"), []byte("clusters: [{name: a, cluster: {server: 'https://x'}}]\nusers: [{name: b, user: {token: c}}]\n"+
			"contexts: [{name: d, context: {cluster: a, user: b}}]\ncurrent-context: d\n"))
	}, failed: "scheduler.conf", says: "without a client certificate"},
	{name: "a certificate in another file", prepare: func(t *testing.T, dir string) {
		testWrite(t, filepath.Join(dir, "scheduler.conf"), []byte("clusters: [{name: a, cluster: {server: 'https://x'}}]\n"+
			"users: [{name: b, user: {client-certificate: pki/apiserver.crt, client-key: pki/apiserver.key}}]\n"+
			"contexts: [{name: d, context: {cluster: a, user: b}}]\ncurrent-context: d\n"))
	}, failed: "scheduler.conf", says: "is in another file", hint: "pkictl renew"},
	{name: "named, but not there", prepare: inDir(os.Remove, "super-admin.conf"), options: RenewOptions{Names: []string{"apiserver", "super-admin.conf"}},
		failed: "super-admin.conf", says: "is not there", hint: "cluster init"},
}

// TestRenewCases: what cannot be renewed is said and stays as it is, and the
// rest is renewed.
func TestRenewCases(t *testing.T) {
	t.Parallel()
	for _, c := range renewCases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			begun := time.Now()
			dir := renewSite(t, begun)
			if c.prepare != nil {
				c.prepare(t, dir)
			}
			before := contentsOf(t, dir)
			o := c.options
			o.Dir, o.Now = dir, begun.Add(c.later)
			result, err := Renew(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			c.check(t, result, before, contentsOf(t, dir))
		})
	}
}

func (c renewCase) check(t *testing.T, result *RenewResult, before, after map[string]string) {
	t.Helper()
	var failed []string
	changes := map[string]bool{}
	for _, entry := range result.Nodes[0].Entries {
		for _, path := range entry.Files {
			changes[path] = entry.State == RenewalDone && (!c.options.ReuseKey || !strings.HasSuffix(path, ".key"))
		}
		switch entry.State {
		case RenewalFailed:
			failed = append(failed, entry.Name)
			if !strings.Contains(entry.Why, c.says) || !strings.Contains(failure.HintOf(entry.Err), c.hint) || failure.HintOf(entry.Err) == "" {
				t.Errorf("%s: %s\n%s", entry.Name, entry.Why, failure.HintOf(entry.Err))
			}
		case RenewalDone:
			checkPair(t, entry)
		}
	}
	if !sameSet(failed, strings.Fields(c.failed)) {
		t.Errorf("failed: %q, want %q", failed, c.failed)
	}
	for path, was := range before {
		if (after[path] != was) != changes[path] {
			t.Errorf("%s was changed: %v, want %v", path, after[path] != was, changes[path])
		}
	}
	warned := ""
	for _, w := range result.Warnings {
		warned += w.Text + "\n"
	}
	if (warned == "") != (c.warns == "") || !strings.Contains(warned, c.warns) {
		t.Errorf("warnings are %q, want %q", warned, c.warns)
	}
}

func checkPair(t *testing.T, r Renewal) {
	t.Helper()
	if len(r.Files) == 1 {
		return // Replace has checked it
	}
	pair, err := tls.LoadX509KeyPair(r.Files[0], r.Files[1])
	if err != nil {
		t.Errorf("%s: %v", r.Name, err)
		return
	}
	if ca.FormatSerial(pair.Leaf.SerialNumber) != r.Serial || !pair.Leaf.NotAfter.Equal(*r.NotAfter) || r.OldSerial == r.Serial {
		t.Errorf("%s: %+v", r.Name, r)
	}
}
