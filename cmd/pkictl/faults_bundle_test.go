package main_test

import (
	"archive/tar"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"
)

// bundleSite is a directory with a cluster directory that kubeadm made, an age
// key, and a bundle that is encrypted to it.
type bundleSite struct {
	dir       string
	recipient *age.X25519Recipient
}

// kubeadmForBundle is for a node cp1, with keys that are made quickly.
const kubeadmForBundle = `apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
localAPIEndpoint: {advertiseAddress: 10.0.0.10}
nodeRegistration: {name: cp1}
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
kubernetesVersion: v1.36.3
certificatesDir: %s/pki
encryptionAlgorithm: ECDSA-P256
`

func newBundleSite(t testing.TB) bundleSite {
	t.Helper()
	s := bundleSite{dir: t.TempDir()}
	kubeadmInit(t, filepath.Join(s.dir, "kubernetes"))
	identity, err := age.GenerateX25519Identity()
	ok(t, err)
	s.recipient = identity.Recipient()
	ok(t, os.WriteFile(filepath.Join(s.dir, "key.txt"), []byte(identity.String()+"\n"), 0o600))
	do(t, s.dir, "cluster", "bundle", "--recipient", s.recipient.String(), "--out", "good.age")
	return s
}

// kubeadmInit has kubeadm make the PKI of a cluster directory.
func kubeadmInit(t testing.TB, dir string) {
	t.Helper()
	config := filepath.Join(t.TempDir(), "kubeadm.yaml")
	ok(t, os.WriteFile(config, fmt.Appendf(nil, kubeadmForBundle, dir), 0o600))
	kubeadm, err := filepath.Abs("../../tools/bin/kubeadm")
	ok(t, err)
	if out, err := exec.Command(kubeadm, "init", "phase", "certs", "all", "--config", config).CombinedOutput(); err != nil {
		t.Fatalf("kubeadm: %v\n%s (make test builds it)", err, out)
	}
}

// entry is one of a tar archive.
type entry struct {
	tar.Header
	data string
}

// file is an entry with the contents of a file of the cluster directory.
func (s bundleSite) file(t testing.TB, name string) entry {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(s.dir, "kubernetes", name))
	ok(t, err)
	return plain(name, string(data))
}

func plain(name, data string) entry {
	return entry{tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(data))}, data}
}

// good are the entries that a bundle needs.
func (s bundleSite) good(t testing.TB) []entry {
	t.Helper()
	var list []entry
	for _, name := range []string{"pki/ca.crt", "pki/ca.key", "pki/sa.key", "pki/sa.pub"} {
		list = append(list, s.file(t, name))
	}
	return list
}

func archiveOf(t testing.TB, entries []entry) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, e := range entries {
		ok(t, w.WriteHeader(&e.Header))
		_, err := w.Write([]byte(e.data))
		ok(t, err)
	}
	ok(t, w.Close())
	return out.Bytes()
}

// encrypted writes what somebody has encrypted as bad.age.
func (s bundleSite) encrypted(t testing.TB, plain []byte) {
	t.Helper()
	var out bytes.Buffer
	w, err := age.Encrypt(&out, s.recipient)
	ok(t, err)
	_, err = w.Write(plain)
	ok(t, err)
	ok(t, w.Close())
	ok(t, os.WriteFile(filepath.Join(s.dir, "bad.age"), out.Bytes(), 0o600))
}

// bundled prepares bad.age: a good archive after change.
func bundled(change func(t *testing.T, s bundleSite, entries []entry) []entry) func(*testing.T, bundleSite) {
	return func(t *testing.T, s bundleSite) { s.encrypted(t, archiveOf(t, change(t, s, s.good(t)))) }
}

// with is bundled with one more entry.
func with(more entry) func(*testing.T, bundleSite) {
	return bundled(func(_ *testing.T, _ bundleSite, entries []entry) []entry { return append(entries, more) })
}

// without is bundled without one of the files.
func without(name string) func(*testing.T, bundleSite) {
	return bundled(func(_ *testing.T, _ bundleSite, entries []entry) []entry {
		var left []entry
		for _, e := range entries {
			if e.Name != name {
				left = append(left, e)
			}
		}
		return left
	})
}

// holding is bundled with other contents in a file.
func holding(name, from string) func(*testing.T, bundleSite) {
	return bundled(func(t *testing.T, s bundleSite, entries []entry) []entry {
		for i, e := range entries {
			if e.Name == name {
				entries[i] = plain(name, s.file(t, from).data)
			}
		}
		return entries
	})
}

// archived prepares bad.age: a good archive whose octets are changed.
func archived(change func([]byte) []byte) func(*testing.T, bundleSite) {
	return func(t *testing.T, s bundleSite) { s.encrypted(t, change(archiveOf(t, s.good(t)))) }
}

// changedFile prepares bad.age: the good bundle, changed after it was encrypted.
func changedFile(change func([]byte) []byte) func(*testing.T, bundleSite) {
	return func(t *testing.T, s bundleSite) {
		data, err := os.ReadFile(filepath.Join(s.dir, "good.age"))
		ok(t, err)
		ok(t, os.WriteFile(filepath.Join(s.dir, "bad.age"), change(data), 0o600))
	}
}

// here prepares the directory as other faults do.
func here(steps ...func(*testing.T, string)) func(*testing.T, bundleSite) {
	return func(t *testing.T, s bundleSite) { both(steps...)(t, s.dir) }
}

// expiredClusterCA puts a CA in place of the cluster's that ended long ago.
func expiredClusterCA(t *testing.T, dir string) {
	expiredCA("past")(t, dir)
	copied("past/ca.crt", "kubernetes/pki/ca.crt")(t, dir)
	copied("past/ca.key", "kubernetes/pki/ca.key")(t, dir)
}

func bundleTo(more ...string) []string {
	return append(in("cluster", "bundle", "--recipients-file", "key.pub"), more...)
}

func restoreOf(file string) []string {
	return in("cluster", "restore", file, "--identity", "key.txt", "--dir", "new")
}

// bundleFaults are wishes of cluster bundle and cluster restore that fail.
var bundleFaults = []struct {
	name       string
	prepare    func(*testing.T, bundleSite)
	args       []string
	code       int
	says, hint string
}{
	{name: "nobody to encrypt to", args: in("cluster", "bundle"), code: 4, says: `"kubernetes-bundle.age" would hold the keys of the CAs, and there is nobody`, hint: "--recipient"},
	{name: "keys and a passphrase", args: bundleTo("--passphrase-file", "pass"), code: 2, says: "not to both", hint: "leave one"},
	{name: "a short passphrase", args: in("cluster", "bundle", "--passphrase-file", "pass"), code: 2, says: "has 5 characters, and needs 8", hint: "several words",
		prepare: here(written("pass", "short\n"))},
	{name: "an empty passphrase file", args: in("cluster", "bundle", "--passphrase-file", "pass"), code: 1, says: "is empty", hint: "first line", prepare: here(written("pass", "\n"))},
	{name: "a recipient that is none", args: in("cluster", "bundle", "--recipient", "jane@example.com"), code: 2, says: "--recipient number 1 is not a recipient", hint: "age-keygen"},
	{name: "a recipient that is cut off", args: in("cluster", "bundle", "--recipient", "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8"), code: 2, says: "damaged, or cut off", hint: "age1"},
	{name: "a recipient of a plugin", args: in("cluster", "bundle", "--recipient", "age1yubikey1q2w7u3vpya839jxxuq8g0sedh3d740d4xvn639sqhr95ejj8vu3hyfumptt"), code: 2, says: "needs a plugin", hint: "age1"},
	{name: "an SSH key of another kind", args: in("cluster", "bundle", "--recipients-file", "r"), code: 2, says: `line 2 of "r" is not a recipient`, hint: "ssh-ed25519",
		prepare: here(written("r", "# mine\necdsa-sha2-nistp256 AAAA jane\n"))},
	{name: "a file without recipients", args: in("cluster", "bundle", "--recipients-file", "r"), code: 2, says: `no recipient in "r"`, hint: "each line", prepare: here(written("r", "# none\n\n"))},
	{name: "recipients that are not there", args: in("cluster", "bundle", "--recipients-file", "none"), code: 1, says: `cannot read "none"`, hint: "check the name"},
	{name: "no cluster directory", args: bundleTo("--dir", "none"), code: 1, says: `no cluster CA in "none"`, hint: "/etc/kubernetes"},
	{name: "another place with a bundle", args: bundleTo("--out", "good.age"), code: 1, says: `"good.age" exists`, hint: "--force"},
	{name: "a key where the bundle should go", args: bundleTo("--out", "kubernetes/pki/ca.key", "--force"), code: 4, says: "exists and is not a bundle", hint: "--out"},
	{name: "a link where the bundle should go", args: bundleTo("--out", "link", "--force"), code: 1, says: "symbolic link", hint: "remove the link", prepare: here(linked("good.age", "link"))},
	{name: "no directory for the bundle", args: bundleTo("--out", "none/x.age"), code: 1, says: `cannot write "none/x.age"`, hint: "make the directory"},
	{name: "a key of another CA", args: bundleTo(), code: 1, says: `CA key "kubernetes/pki/etcd/ca.key" does not belong to certificate "kubernetes/pki/etcd/ca.crt"`, hint: "one backup",
		prepare: here(copied("kubernetes/pki/ca.key", "kubernetes/pki/etcd/ca.key"))},
	{name: "sa.pub of another key", args: bundleTo(), code: 1, says: `public key "kubernetes/pki/sa.pub" is not that of "kubernetes/pki/sa.key"`, hint: "one backup",
		prepare: here(copied("kubernetes/pki/ca.key", "kubernetes/pki/sa.key"))},
	{name: "no sa.key", args: bundleTo(), code: 1, says: `no pki/sa.key in "kubernetes"`, hint: "another node", prepare: here(remove("kubernetes/pki/sa.key"))},
	{name: "no sa.pub", args: bundleTo(), code: 1, says: `no pki/sa.pub in "kubernetes"`, hint: "openssl pkey", prepare: here(remove("kubernetes/pki/sa.pub"))},
	{name: "a private key in sa.pub", args: bundleTo(), code: 1, says: `"kubernetes/pki/sa.pub" holds more than public keys`, hint: "openssl pkey",
		prepare: here(copied("kubernetes/pki/sa.key", "kubernetes/pki/sa.pub"))},
	{name: "a key without its CA", args: bundleTo(), code: 1, says: `"kubernetes/pki/front-proxy-ca.key" has no certificate`, hint: "one backup", prepare: here(remove("kubernetes/pki/front-proxy-ca.crt"))},
	{name: "a CA that has ended", args: bundleTo(), code: 1, says: `CA "kubernetes/pki/ca.crt" expired on 2020-01-02`, hint: "new CA", prepare: here(expiredClusterCA)},
	{name: "a leaf in place of a CA", args: bundleTo(), code: 1, says: "not the certificate of a CA", hint: "CA:TRUE", prepare: here(copied("kubernetes/pki/apiserver.crt", "kubernetes/pki/ca.crt"))},
	{name: "a key in a certificate's file", args: bundleTo(), code: 1, says: "holds more than certificates: ", hint: "certificates alone", prepare: func(t *testing.T, s bundleSite) {
		written("kubernetes/pki/ca.crt", s.file(t, "pki/ca.crt").data+s.file(t, "pki/ca.key").data)(t, s.dir)
	}},
	{name: "a chain of another CA", args: bundleTo(), code: 1, says: `the first certificate of "kubernetes/pki/etcd/ca-chain.crt" is not that of`, hint: "one backup",
		prepare: here(copied("kubernetes/pki/ca.crt", "kubernetes/pki/etcd/ca-chain.crt"))},
	{name: "nodes with different CAs", args: bundleTo("--dir", "ha"), code: 1, says: `the nodes do not share "ha/a/pki/etcd/ca.crt" and "ha/b/pki/etcd/ca.crt"`, hint: "ha/a",
		prepare: func(t *testing.T, s bundleSite) {
			do(t, s.dir, "cluster", "init", "--dir", "ha", "--endpoint", "x", "--node", "a=10.0.0.11", "--node", "b=10.0.0.12")
			copied("kubernetes/pki/etcd/ca.crt", "ha/b/pki/etcd/ca.crt")(t, s.dir)
		}},
	{name: "noise in a key", args: bundleTo(), code: 1, says: `"kubernetes/pki/ca.key"`, hint: "", prepare: here(written("kubernetes/pki/ca.key", "noise"))},
	{name: "another file in cluster.yaml", args: bundleTo(), code: 2, says: `kubernetes/cluster.yaml", line 1`, hint: "kind: Cluster",
		prepare: here(written("kubernetes/cluster.yaml", "apiVersion: v1\nkind: Config\n"))},

	{name: "no file to restore", args: in("cluster", "restore"), code: 2, says: "takes one FILE", hint: "--help"},
	{name: "a bundle that is not there", args: restoreOf("none"), code: 1, says: `cannot read "none"`, hint: "check the name"},
	{name: "no bundle", args: restoreOf("key.txt"), code: 1, says: `"key.txt" is not a bundle`, hint: "pkictl cluster bundle"},
	{name: "an endless bundle", args: restoreOf("/dev/zero"), code: 1, says: `"/dev/zero" is larger than 32 MiB`, hint: "the file you mean"},
	{name: "an archive that is not encrypted", args: restoreOf("bad.tar"), code: 1, says: "age has not encrypted it", hint: "pkictl cluster bundle",
		prepare: func(t *testing.T, s bundleSite) { written("bad.tar", string(archiveOf(t, s.good(t))))(t, s.dir) }},
	{name: "no key", args: in("cluster", "restore", "good.age", "--dir", "new"), code: 1, says: "is encrypted to keys", hint: "--identity"},
	{name: "another key", args: in("cluster", "restore", "good.age", "--dir", "new", "--identity", "other"), code: 1, says: `no key of --identity opens bundle "good.age"`, hint: "--recipient",
		prepare: func(t *testing.T, s bundleSite) {
			identity, err := age.GenerateX25519Identity()
			ok(t, err)
			written("other", identity.String()+"\n")(t, s.dir)
		}},
	{name: "a key that is none", args: in("cluster", "restore", "good.age", "--dir", "new", "--identity", "good.age"), code: 1, says: "itself encrypted by age", hint: "age -d"},
	{name: "the public key", args: in("cluster", "restore", "good.age", "--dir", "new", "--identity", "key.pub"), code: 1, says: `"key.pub" holds no secret key`, hint: "age-keygen"},
	{name: "a CA's key in place of an SSH key", args: in("cluster", "restore", "good.age", "--dir", "new", "--identity", "kubernetes/pki/ca.key"), code: 1, says: "holds no SSH key", hint: "ed25519 or rsa"},
	{name: "nobody who knows the passphrase", args: in("cluster", "restore", "p.age", "--dir", "new"), code: 1, says: "is encrypted with a passphrase", hint: "--passphrase-file",
		prepare: func(t *testing.T, s bundleSite) {
			written("pass", "three words or more\n")(t, s.dir)
			do(t, s.dir, "cluster", "bundle", "--passphrase-file", "pass", "--out", "p.age")
		}},
	{name: "a bundle that costs gigabytes to open", args: in("cluster", "restore", "bad.age", "--dir", "new", "--passphrase-file", "pass"), code: 1, says: "its header cannot be read", hint: "copy it again",
		prepare: func(t *testing.T, s bundleSite) {
			written("pass", "three words or more\n")(t, s.dir)
			do(t, s.dir, "cluster", "bundle", "--passphrase-file", "pass", "--out", "good.age", "--force")
			changedFile(func(data []byte) []byte { return bytes.Replace(data, []byte(" 18\n"), []byte(" 21\n"), 1) })(t, s)
		}},
	{name: "a bundle cut off in its header", args: restoreOf("bad.age"), code: 1, says: "its header cannot be read", hint: "copy it again", prepare: changedFile(func(data []byte) []byte { return data[:50] })},
	{name: "a bundle cut off", args: restoreOf("bad.age"), code: 1, says: "cut off, or was changed", hint: "copy it again", prepare: changedFile(func(data []byte) []byte { return data[:len(data)-1] })},
	{name: "a bundle with something behind", args: restoreOf("bad.age"), code: 1, says: "cut off, or was changed", hint: "copy it again", prepare: changedFile(func(data []byte) []byte { return append(data, 0) })},
	{name: "a bundle with another octet", args: restoreOf("bad.age"), code: 1, says: "cut off, or was changed", hint: "copy it again",
		prepare: changedFile(func(data []byte) []byte { data[len(data)-2000] ^= 1; return data })},

	{name: "no archive", args: restoreOf("bad.age"), code: 1, says: "no tar archive", hint: "copy it again", prepare: archived(func([]byte) []byte { return []byte("hello") })},
	{name: "an archive cut off between files", args: restoreOf("bad.age"), code: 1, says: "its archive is cut off", hint: "copy it again",
		prepare: archived(func(data []byte) []byte { return data[:2*1024] })},
	{name: "an archive with something behind", args: restoreOf("bad.age"), code: 4, says: "something follows its archive", hint: "nothing else",
		prepare: archived(func(data []byte) []byte { return append(append(data, "more"...), make([]byte, 2048)...) })},
	{name: "a path that leads away", args: restoreOf("bad.age"), code: 4, says: `it holds "../pki/ca.crt"`, hint: "--dry-run", prepare: with(plain("../pki/ca.crt", "x"))},
	{name: "a path from the root", args: restoreOf("bad.age"), code: 4, says: `it holds "/etc/passwd"`, hint: "--dry-run", prepare: with(plain("/etc/passwd", "x"))},
	{name: "a path that is written otherwise", args: restoreOf("bad.age"), code: 4, says: `it holds "pki/../pki/ca.key"`, hint: "--dry-run", prepare: with(plain("pki/../pki/ca.key", "x"))},
	{name: "a file of one node", args: restoreOf("bad.age"), code: 4, says: `it holds "pki/apiserver.crt"`, hint: "--dry-run",
		prepare: bundled(func(t *testing.T, s bundleSite, entries []entry) []entry {
			return append(entries, s.file(t, "pki/apiserver.crt"))
		})},
	{name: "a name for the eye", args: restoreOf("bad.age"), code: 4, says: `it holds "pki/\x1b[2K\u202e"`, hint: "--dry-run", prepare: with(plain("pki/\x1b[2K\u202e", "x"))},
	{name: "a symbolic link", args: restoreOf("bad.age"), code: 4, says: `"pki/ca-chain.crt" in it is not a plain file`, hint: "--dry-run",
		prepare: with(entry{Header: tar.Header{Typeflag: tar.TypeSymlink, Name: "pki/ca-chain.crt", Linkname: "/etc/shadow"}})},
	{name: "a hard link", args: restoreOf("bad.age"), code: 4, says: "not a plain file", hint: "--dry-run",
		prepare: with(entry{Header: tar.Header{Typeflag: tar.TypeLink, Name: "pki/ca-chain.crt", Linkname: "pki/ca.crt"}})},
	{name: "a device", args: restoreOf("bad.age"), code: 4, says: "not a plain file", hint: "--dry-run",
		prepare: with(entry{Header: tar.Header{Typeflag: tar.TypeChar, Name: "pki/ca-chain.crt", Devmajor: 1, Devminor: 5}})},
	{name: "a pipe", args: restoreOf("bad.age"), code: 4, says: "not a plain file", hint: "--dry-run", prepare: with(entry{Header: tar.Header{Typeflag: tar.TypeFifo, Name: "pki/ca-chain.crt"}})},
	{name: "a directory in place of a file", args: restoreOf("bad.age"), code: 4, says: `it holds "pki/ca.crt/"`, hint: "--dry-run", prepare: with(entry{Header: tar.Header{Typeflag: tar.TypeDir, Name: "pki/ca.crt/"}})},
	{name: "another directory", args: restoreOf("bad.age"), code: 4, says: `it holds "pki/etcd/data/"`, hint: "--dry-run", prepare: with(entry{Header: tar.Header{Typeflag: tar.TypeDir, Name: "pki/etcd/data/"}})},
	{name: "a file twice", args: restoreOf("bad.age"), code: 4, says: `it holds "pki/ca.crt" twice`, hint: "--dry-run", prepare: with(plain("pki/ca.crt", "x"))},
	{name: "an empty file", args: restoreOf("bad.age"), code: 4, says: `"pki/ca-chain.crt" in it is empty`, hint: "--dry-run", prepare: with(plain("pki/ca-chain.crt", ""))},
	{name: "a huge file", args: restoreOf("bad.age"), code: 1, says: `"bad.age:pki/ca-chain.crt" is larger than 1 MiB`, hint: "the file you mean", prepare: with(plain("pki/ca-chain.crt", strings.Repeat("x", 1<<20+1)))},
	{name: "a huge archive", args: restoreOf("bad.age"), code: 1, says: `"bad.age" is larger than 32 MiB`, hint: "the file you mean", prepare: archived(func([]byte) []byte { return make([]byte, 32<<20+1) })},
	{name: "no CA in it", args: restoreOf("bad.age"), code: 1, says: `no pki/ca.crt in "bad.age"`, hint: "has to be in it", prepare: without("pki/ca.crt")},
	{name: "no sa.key in it", args: restoreOf("bad.age"), code: 1, says: `no pki/sa.key in "bad.age"`, hint: "another node", prepare: without("pki/sa.key")},
	{name: "a wrong pair in it", args: restoreOf("bad.age"), code: 1, says: `CA key "bad.age:pki/ca.key" does not belong to certificate "bad.age:pki/ca.crt"`, hint: "one backup", prepare: holding("pki/ca.key", "pki/etcd/ca.key")},
	{name: "another sa.pub in it", args: restoreOf("bad.age"), code: 1, says: `public key "bad.age:pki/sa.pub" is not that of`, hint: "one backup", prepare: holding("pki/sa.key", "pki/etcd/ca.key")},
	{name: "a leaf for a CA in it", args: restoreOf("bad.age"), code: 1, says: `"bad.age:pki/ca.crt" is not the certificate of a CA`, hint: "CA:TRUE", prepare: holding("pki/ca.crt", "pki/apiserver.crt")},
	{name: "a CA that has ended in it", args: restoreOf("bad.age"), code: 1, says: `CA "bad.age:pki/ca.crt" expired`, hint: "new CA",
		prepare: func(t *testing.T, s bundleSite) {
			expiredClusterCA(t, s.dir)
			s.encrypted(t, archiveOf(t, s.good(t)))
		}},

	{name: "another CA in its place", args: restoreOf("good.age"), code: 4, says: `"new/pki/ca.crt" is another one than in the bundle`, hint: "nothing was changed",
		prepare: func(t *testing.T, s bundleSite) { kubeadmInit(t, filepath.Join(s.dir, "new")) }},
	{name: "another key in its place", args: restoreOf("good.age"), code: 4, says: `"new/pki/etcd/ca.key" is another one`, hint: "move the old PKI away",
		prepare: here(folder("new/pki/etcd"), copied("kubernetes/pki/ca.key", "new/pki/etcd/ca.key"))},
	{name: "a key of another CA beside it", args: restoreOf("bad.age"), code: 1, says: `CA key "new/pki/ca.key" does not belong to certificate "bad.age:pki/ca.crt"`, hint: "one backup",
		prepare: func(t *testing.T, s bundleSite) {
			without("pki/ca.key")(t, s)
			here(folder("new/pki"), copied("kubernetes/pki/etcd/ca.key", "new/pki/ca.key"))(t, s)
		}},
	{name: "a link in its place", args: restoreOf("good.age"), code: 1, says: "symbolic link", hint: "remove the link",
		prepare: here(folder("new/pki"), linked("../../elsewhere", "new/pki/ca.key"))},
	{name: "a file in place of the directory", args: restoreOf("good.age"), code: 1, says: "not a directory", hint: "--dir", prepare: here(written("new", "mine"))},
	{name: "a file in place of etcd", args: restoreOf("good.age"), code: 1, says: "not a directory", hint: "", prepare: here(folder("new/pki"), written("new/pki/etcd", "mine"))},
}

func folder(path string) func(*testing.T, string) {
	return func(t *testing.T, dir string) { ok(t, os.MkdirAll(filepath.Join(dir, path), 0o700)) }
}

// TestBundleFaults is TestFaults for bundles: one error, one hint, and nothing
// is written. No error holds anything of a key.
func TestBundleFaults(t *testing.T) {
	t.Parallel()
	good := newBundleSite(t)
	written("key.pub", good.recipient.String()+"\n")(t, good.dir)
	for _, f := range bundleFaults {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			s := bundleSite{t.TempDir(), good.recipient}
			ok(t, os.CopyFS(s.dir, os.DirFS(good.dir)))
			if f.prepare != nil {
				f.prepare(t, s)
			}
			before := snapshot(t, s.dir)
			got := runProgram(t, program(s.dir, f.args...))
			checkRefusal(t, "run", got, f.code, f.says, f.hint)
			if strings.Contains(got.stderr, "SECRET") {
				t.Errorf("the error holds a key:\n%s", got.stderr)
			}
			checkUnchanged(t, "run", s.dir, before)
			dry := runProgram(t, program(s.dir, append(in(f.args...), "--dry-run")...))
			if strings.HasPrefix(f.name, "a file in place") { // it is met by reading, not by writing
				f.hint = ""
			}
			checkRefusal(t, "--dry-run", dry, f.code, f.says, f.hint)
			checkUnchanged(t, "--dry-run", s.dir, before)
		})
	}
}

// TestBundleSecretRecipient: a secret key in place of a recipient is refused,
// and not shown.
func TestBundleSecretRecipient(t *testing.T) {
	t.Parallel()
	s := newBundleSite(t)
	key, err := os.ReadFile(filepath.Join(s.dir, "key.txt"))
	ok(t, err)
	for _, args := range [][]string{
		in("cluster", "bundle", "--recipient", strings.TrimSpace(string(key))), in("cluster", "bundle", "--recipients-file", "key.txt"),
	} {
		got := runProgram(t, program(s.dir, args...))
		checkRefusal(t, args[2], got, 2, "it is a secret key", "public part")
		if strings.Contains(got.stderr, strings.TrimSpace(string(key))[20:30]) {
			t.Errorf("the error holds the key:\n%s", got.stderr)
		}
	}
}
