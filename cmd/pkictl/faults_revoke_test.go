package main_test

import (
	"os"
	"path/filepath"
	"testing"
)

func revokeOf(more ...string) []string { return append(in("revoke", "old", "--yes"), more...) }

// zeros makes a file of so many bytes that takes no space.
func zeros(path string, size int64) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		written(path, "")(t, dir)
		ok(t, os.Truncate(filepath.Join(dir, path), size))
	}
}

// badRevocations are faults of revoke, crl, verify --crl and list --prometheus,
// by exit code.
var badRevocations = map[int][]fault{
	2: {
		{name: "malformed serial", args: in("revoke", "0x12zz", "--yes"), says: `"0x12zz" is not a serial number`, hint: "hexadecimal"},
		{name: "malformed serial with colons", args: in("revoke", "1:23", "--yes"), says: `"1:23" is not a serial number`, hint: "pairs"},
		{name: "empty name to revoke", args: in("revoke", "", "--yes"), says: "the name is empty", hint: "pkictl revoke jane"},
		{name: "unknown reason", args: revokeOf("--reason", "stolen"), says: `unknown reason "stolen"`, hint: "keyCompromise"},
		{name: "reason that is no final one", args: revokeOf("--reason", "certificate-hold"), says: "certificateHold", hint: "superseded"},
		{name: "reason of a CA", args: revokeOf("--reason", "cACompromise"), says: "is for the certificate of a CA", hint: "keyCompromise"},
		{name: "empty reason", args: revokeOf("--reason", ""), says: "--reason is empty", hint: "value"},
		{name: "next update beyond the CA", args: in("crl", "--next-update", "11y"), says: "after the end of the CA", hint: "at most"},
		{name: "next update that is no time", args: in("crl", "--next-update", "soon"), says: "not a number with a unit", hint: "90d"},
		{name: "list and JSON on standard output", args: in("crl", "--out", "-", "-o", "json"), says: "standard output", hint: "leave"},
		{name: "unknown state", args: in("list", "--state", "dead"), says: `unknown state "dead"`, hint: "replaced"},
		{name: "expiring and revoked", args: in("list", "--state", "revoked", "--expiring", "1d"), says: "in force", hint: "--state"},
		{name: "metrics that nobody reads", args: in("list", "--prometheus", "x.txt"), says: "does not end in .prom", hint: "pkictl.prom"},
	},
	1: {
		{name: "serial that is not there", args: in("revoke", "01:02", "--yes"), says: `no certificate of the name or serial "01:02"`, hint: "pkictl list"},
		{name: "name that is not there", args: in("revoke", "olm", "--yes"), says: `no certificate of the name or serial "olm"`, hint: "pkictl list"},
		{name: "serial of another issuer", args: revokeOf("--aki", "00:FF"), says: "with that issuer", hint: "pkictl list"},
		{name: "name that stands for two", args: in("revoke", "old", "--yes"), says: `"old" names 2 certificates: serial `, hint: "pkictl revoke ",
			prepare: func(t *testing.T, dir string) { do(t, dir, "issue", "--cn", "old", "--out", "other", "-q") }},
		{name: "revoked for another reason", args: in("revoke", "old", "--yes", "--reason", "key-compromise"), says: "for the reason superseded", hint: "not changed",
			prepare: func(t *testing.T, dir string) { do(t, dir, "revoke", "old", "--reason", "superseded", "--yes", "-q") }},
		{name: "revoke where there is no CA", args: revokeOf("--dir", "none"), says: "there is no CA", hint: "init-ca"},
		{name: "revoke in a damaged inventory", args: revokeOf(), says: "not a database", hint: "backup",
			prepare: written("pki/inventory.db", "noise that is long enough to be no database at all, whatever reads it, in a hundred bytes and more")},
		{name: "crl where there is no CA", args: in("crl", "--dir", "none"), says: "there is no CA", hint: "init-ca"},
		{name: "crl without the key", args: in("crl"), says: "has no key", hint: "restore ca.key", prepare: remove("pki/ca.key")},
		{name: "crl over a key", args: in("crl", "--out", "pki/old.key"), says: `"pki/old.key" is not replaced`, hint: "--out"},
		{name: "crl over a damaged list", args: in("crl"), says: `"pki/ca.crl" is not replaced`, hint: "move it away", prepare: written("pki/ca.crl", "noise")},
		{name: "crl over a huge file", args: in("crl"), says: "larger than 16 MiB", hint: "move it away", prepare: zeros("pki/ca.crl", 100<<20)},
		{name: "symlink where a list should go", args: in("crl"), says: "symbolic link", hint: "remove the link", prepare: linked("../target", "pki/ca.crl")},
		{name: "no directory for the list", args: in("crl", "--out", "none/ca.crl"), says: "no such file or directory", hint: "make the directory"},
		{name: "list of 100 MB", args: in("verify", "old", "--crl", "huge.crl"), says: `"huge.crl" is larger than 16 MiB`, hint: "the file you mean", prepare: zeros("huge.crl", 100<<20)},
		{name: "endless list", args: in("verify", "old", "--crl", "/dev/zero"), says: "larger than 16 MiB", hint: "the file you mean"},
		{name: "certificate for a list", args: in("verify", "old", "--crl", "pki/old.crt"), says: "holds no revocation list", hint: "BEGIN X509 CRL"},
		{name: "no list", args: in("verify", "old", "--crl", "none.crl"), says: "no such file", hint: "check the name"},
		{name: "metrics over something else", args: in("list", "--prometheus", "x.prom"), says: "was not written by pkictl", hint: "another file", prepare: written("x.prom", "node_load1 1\n")},
	},
	4: {
		{name: "nobody to ask", args: in("revoke", "old"), says: "no terminal", hint: "--yes"},
		{name: "the CA itself", args: in("revoke", "ca", "--yes"), says: "is the CA itself", hint: "CA above"},
	},
}

// TestFaultsRevocation: every fault gives one error and one hint, and changes
// nothing.
func TestFaultsRevocation(t *testing.T) {
	t.Parallel()
	for code, faults := range badRevocations {
		for _, f := range faults {
			t.Run(f.name, func(t *testing.T) {
				t.Parallel()
				f.check(t, code)
			})
		}
	}
}
