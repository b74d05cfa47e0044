package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pkictl/pkictl/ca"
)

// badInit are wishes for a CA that make no sense.
var badInit = []fault{
	{name: "init: parent and import", args: in("init-ca", "--dir", "new", "--parent", "pki", "--cert", "pki/ca.crt", "--key", "pki/ca.key"), says: "stays what it is", hint: "--parent"},
	{name: "init: name and import", args: in("init-ca", "--dir", "new", "--cn", "x", "--import", "pki"), says: "stays what it is", hint: "names"},
	{name: "init: kind of key and import", args: in("init-ca", "--dir", "new", "--key", "rsa-2048", "--import", "pki"), says: "stays what it is", hint: "key kind"},
	{name: "init: certificate without key", args: in("init-ca", "--dir", "new", "--cert", "pki/ca.crt"), says: "--key is missing", hint: "--key"},
	{name: "init: empty parent", args: in("init-ca", "--dir", "new", "--parent", ""), says: "--parent is empty", hint: "leave"},
	{name: "init: parent is the directory", args: in("init-ca", "--dir", "./pki/", "--parent", "pki"), says: "is the directory of the CA that is to sign", hint: "--dir"},
	{name: "init: the parent's name", args: in("init-ca", "--dir", "new", "--parent", "pki", "--cn", "KUBERNETES-CA"), says: "name of a CA above", hint: "--cn"},
	{name: "init: negative path length", args: in("init-ca", "--dir", "new", "--parent", "pki", "--path-length", "-1"), says: "negative", hint: "0 for none"},
	{name: "init: path length that is no number", args: in("init-ca", "--dir", "new", "--path-length", "x"), says: "--path-length", hint: "init-ca --help"},
	{name: "init: path length exceeded", args: in("init-ca", "--dir", "new", "--parent", "low"), says: "path length is 0", hint: "--path-length",
		prepare: func(t *testing.T, dir string) { do(t, dir, "init-ca", "--dir", "low", "--parent", "pki") }},
	{name: "init: path length too long", args: in("init-ca", "--dir", "new", "--parent", "low", "--path-length", "2"), says: "path length 2 is more", hint: "--path-length 1 at most",
		prepare: func(t *testing.T, dir string) {
			do(t, dir, "init-ca", "--dir", "low", "--parent", "pki", "--path-length", "2")
		}},
	{name: "init: beyond the parent's end", args: in("init-ca", "--dir", "new", "--parent", "pki", "--validity", "10y1s"), says: "after its CA", hint: "at most"},
	{name: "init: address for a network", args: in("init-ca", "--dir", "new", "--permit-ip", "10.0.0.1"), says: `"10.0.0.1" is not a network`, hint: "10.0.0.1/32"},
	{name: "init: host bits in a network", args: in("init-ca", "--dir", "new", "--permit-ip", "10.0.0.1/8"), says: `"10.0.0.1/8" is not a network`, hint: "10.0.0.0/8"},
	{name: "init: wildcard for a domain", args: in("init-ca", "--dir", "new", "--permit-dns", "*.example.com"), says: `"*.example.com" is not a domain`, hint: "write example.com"},
	{name: "init: leading dot", args: in("init-ca", "--dir", "new", "--permit-dns", ".example.com"), says: `".example.com" is not a domain`, hint: "write example.com"},
	{name: "init: blank in a domain", args: in("init-ca", "--dir", "new", "--permit-dns", "a b"), says: `"a b" is not a domain`, hint: "lower case"},
	{name: "init: escape in a domain", args: in("init-ca", "--dir", "new", "--permit-dns", "a\x1b[31m"), says: `is not a domain`, hint: "lower case"},
	{name: "init: import in place with the key elsewhere", args: in("init-ca", "--import", "pki"), says: `and not "pki/ca.key"`, hint: "--dir",
		prepare: func(t *testing.T, dir string) {
			ok(t, os.Mkdir(filepath.Join(dir, "pki/private"), 0o700))
			ok(t, os.Rename(filepath.Join(dir, "pki/ca.key"), filepath.Join(dir, "pki/private/ca.key")))
		}},
	{name: "init: import a file", args: in("init-ca", "--dir", "new", "--import", "pki/ca.crt"), says: "is not a directory", hint: "--cert"},
}

// badInitState are wishes for a CA that cannot be met as the disk is.
var badInitState = []fault{
	{name: "parent without a CA", args: in("init-ca", "--dir", "new", "--parent", "none"), says: `there is no CA in "none"`, hint: "init-ca --dir none"},
	{name: "parent without key", args: in("init-ca", "--dir", "new", "--parent", "pki"), says: "has no key", hint: "restore ca.key", prepare: remove("pki/ca.key")},
	{name: "parent with another key", args: in("init-ca", "--dir", "new", "--parent", "pki"), says: "does not belong to", hint: "restore the pair", prepare: copied("pki/old.key", "pki/ca.key")},
	{name: "parent that is a leaf", args: in("init-ca", "--dir", "new", "--parent", "pki"), says: "not the certificate of a CA", hint: "CA:TRUE", prepare: copied("pki/old.crt", "pki/ca.crt")},
	{name: "parent with a damaged inventory", args: in("init-ca", "--dir", "new", "--parent", "pki"), says: "not a database", hint: "backup",
		prepare: written("pki/inventory.db", strings.Repeat("noise", 1000))},
	{name: "parent expired", args: in("init-ca", "--dir", "new", "--parent", "past"), says: "expired on", hint: "new CA", prepare: expiredCA("past")},
	{name: "CA where the intermediate goes", args: in("init-ca", "--parent", "other"), says: "there is a CA", hint: "--dir DIR",
		prepare: func(t *testing.T, dir string) { do(t, dir, "init-ca", "--dir", "other") }},
	{name: "CA where the imported one goes", args: in("init-ca", "--import", "other"), says: "there is a CA", hint: "--dir DIR",
		prepare: func(t *testing.T, dir string) { do(t, dir, "init-ca", "--dir", "other") }},
	{name: "chain alone where the CA goes", args: in("init-ca", "--dir", "new"), says: "there is a CA", hint: "--dir DIR",
		prepare: func(t *testing.T, dir string) {
			ok(t, os.Mkdir(filepath.Join(dir, "new"), 0o700))
			written("new/ca-chain.crt", "x")(t, dir)
		}},
	{name: "chain of another CA", args: issueOf(), says: `the first certificate of "pki/ca-chain.crt" is not that of "pki/ca.crt"`, hint: "restore", prepare: copied("pki/old.crt", "pki/ca-chain.crt")},

	{name: "import: key of another", args: importOf("pki/ca.crt", "pki/old.key"), says: "does not belong to", hint: "made together"},
	{name: "import: truncated key", args: importOf("pki/ca.crt", "x.key"), says: "is cut off or damaged", hint: "backup", prepare: truncated("pki/ca.key", "x.key", 100)},
	{name: "import: damaged key", args: importOf("pki/ca.crt", "x.key"), says: "damaged or of an unknown kind", hint: "backup",
		prepare: written("x.key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")},
	{name: "import: key of 100 MB", args: importOf("pki/ca.crt", "x.key"), says: "larger than 1 MiB", hint: "check", prepare: large("x.key")},
	{name: "import: certificate of 100 MB", args: importOf("x.crt", "pki/ca.key"), says: "larger than 1 MiB", hint: "check", prepare: large("x.crt")},
	{name: "import: endless certificate", args: importOf("/dev/zero", "pki/ca.key"), says: "larger than 1 MiB", hint: "check"},
	{name: "import: endless key", args: importOf("pki/ca.crt", "/dev/zero"), says: "larger than 1 MiB", hint: "check"},
	{name: "import: certificate is a directory", args: importOf("pki", "pki/ca.key"), says: "is a directory", hint: "--dir"},
	{name: "import: key is a directory", args: importOf("pki/ca.crt", "pki"), says: "is a directory", hint: "--dir"},
	{name: "import: no certificate", args: importOf("none", "pki/ca.key"), says: `cannot read "none"`, hint: "check the name"},
	{name: "import: no key", args: importOf("pki/ca.crt", "none"), says: `cannot read "none"`, hint: "check the name"},
	{name: "import: leaf", args: importOf("pki/old.crt", "pki/old.key"), says: "is not the certificate of a CA", hint: "CA:TRUE"},
	{name: "import: expired", args: importOf("past/ca.crt", "past/ca.key"), says: "expired on", hint: "make a new CA", prepare: expiredCA("past")},
	{name: "import: no PEM", args: importOf("x.crt", "pki/ca.key"), says: "holds no certificate", hint: "BEGIN CERTIFICATE", prepare: written("x.crt", "noise")},
	{name: "import: no directory", args: in("init-ca", "--dir", "new", "--import", "none"), says: `no directory "none"`, hint: "check the name"},
	{name: "import: empty directory", args: in("init-ca", "--dir", "new", "--import", "empty"), says: `no CA in "empty"`, hint: "kubeadm",
		prepare: func(t *testing.T, dir string) { ok(t, os.Mkdir(filepath.Join(dir, "empty"), 0o700)) }},
	{name: "import: directory without key", args: in("init-ca", "--dir", "new", "--import", "pki"), says: "has no key where", hint: "--cert and --key", prepare: remove("pki/ca.key")},
	{name: "import: damaged index.txt", args: in("init-ca", "--dir", "new", "--import", "rsa"), says: `line 1 of "rsa/index.txt"`, hint: "mend the line",
		prepare: func(t *testing.T, dir string) {
			ok(t, os.MkdirAll(filepath.Join(dir, "rsa/private"), 0o700))
			copied("pki/ca.crt", "rsa/ca.crt")(t, dir)
			copied("pki/ca.key", "rsa/private/ca.key")(t, dir)
			written("rsa/index.txt", "R\t300101000000Z\t\u202e\t01\tunknown\t/CN=\x1b[31m\n")(t, dir)
		}},
	{name: "import: index.txt is a directory", args: in("init-ca", "--dir", "new", "--import", "rsa"), says: `"rsa/index.txt"`, hint: "restore",
		prepare: func(t *testing.T, dir string) {
			ok(t, os.MkdirAll(filepath.Join(dir, "rsa/private"), 0o700))
			copied("pki/ca.crt", "rsa/ca.crt")(t, dir)
			copied("pki/ca.key", "rsa/private/ca.key")(t, dir)
			ok(t, os.Mkdir(filepath.Join(dir, "rsa/index.txt"), 0o700))
		}},
	{name: "import: damaged inventory", args: in("init-ca", "--import", "pki"), says: "not a database", hint: "backup",
		prepare: written("pki/inventory.db", strings.Repeat("noise", 1000))},
}

// forbiddenNames are outside of what a CA may certify.
var forbiddenNames = []fault{
	{name: "name outside of the CA's limits", args: in("issue", "--dir", "low", "--cn", "a.example.org", "--profile", "server"), says: `may not certify DNS name "a.example.org"`, hint: "leave the name out",
		prepare: limitedCA},
	{name: "address outside of the CA's limits", args: in("issue", "--dir", "low", "--cn", "jane", "--ip", "192.0.2.1"), says: `may not certify IP address "192.0.2.1"`, hint: "leave the name out",
		prepare: limitedCA},
	{name: "limits beyond those of the CA above", args: in("init-ca", "--dir", "new", "--parent", "low", "--permit-dns", "example.org"), says: `may not certify DNS name "example.org"`, hint: "leave the name out",
		prepare: limitedCA},
}

func limitedCA(t *testing.T, dir string) {
	do(t, dir, "init-ca", "--dir", "low", "--parent", "pki", "--path-length", "1", "--permit-dns", "example.com", "--permit-ip", "10.0.0.0/8")
}

// TestInitFaults is TestFaults for what concerns CAs.
func TestInitFaults(t *testing.T) {
	t.Parallel()
	for code, faults := range map[int][]fault{2: badInit, 1: badInitState, 4: forbiddenNames} {
		for _, f := range faults {
			t.Run(f.name, func(t *testing.T) {
				t.Parallel()
				f.check(t, max(code, f.code))
			})
		}
	}
}

func importOf(cert, key string) []string {
	return in("init-ca", "--dir", "new", "--cert", cert, "--key", key)
}

// large makes a file of 100 MB that begins as PEM and takes no space.
func large(path string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		written(path, "-----BEGIN CERTIFICATE-----\n")(t, dir)
		ok(t, os.Truncate(filepath.Join(dir, path), 100<<20))
	}
}

func truncated(from, to string, size int64) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		copied(from, to)(t, dir)
		ok(t, os.Truncate(filepath.Join(dir, to), size))
	}
}

// expiredCA makes a CA that ended long ago.
func expiredCA(name string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		_, err := ca.Init(t.Context(), ca.InitOptions{
			Dir: filepath.Join(dir, name), CommonName: "Past", Validity: "1d", Now: time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC),
		})
		ok(t, err)
	}
}
