package main_test

import (
	"bytes"
	"database/sql"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// outcome is how a run of the program ended.
type outcome struct {
	code           int
	stdout, stderr string
}

// program returns a run of the real program in a directory, with nothing of the
// environment of whoever runs the tests.
func program(dir string, args ...string) *exec.Cmd {
	cmd := exec.Command(pkictl(), args...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir}
	return cmd
}

func runProgram(t testing.TB, cmd *exec.Cmd) outcome {
	t.Helper()
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return outcome{cmd.ProcessState.ExitCode(), out.String(), errOut.String()}
}

// do runs the program and expects that it succeeds.
func do(t testing.TB, dir string, args ...string) string {
	t.Helper()
	got := runProgram(t, program(dir, args...))
	if got.code != 0 {
		t.Fatalf("pkictl %q: exit code %d\n%s", args, got.code, got.stderr)
	}
	return got.stdout
}

// checkRefusal checks what every failure has: its exit code, nothing on standard
// output, and on standard error one line of error and one of hint.
func checkRefusal(t testing.TB, what string, got outcome, code int, says, hint string) {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(got.stderr, "\n"), "\n")
	switch {
	case got.code != code:
		t.Errorf("%s: exit code %d, want %d\n%s", what, got.code, code, got.stderr)
	case got.stdout != "":
		t.Errorf("%s: printed %q", what, got.stdout)
	case len(lines) != 2 || !strings.HasPrefix(lines[0], "error: ") || !strings.HasPrefix(lines[1], "hint: "):
		t.Errorf("%s: want one error and one hint, not\n%s", what, got.stderr)
	case !strings.Contains(lines[0], says) || !strings.Contains(lines[1], hint):
		t.Errorf("%s: want %q and %q, not\n%s", what, says, hint, got.stderr)
	}
	for _, r := range got.stderr {
		if r != '\n' && (r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || r == '\u202e') {
			t.Errorf("%s: the error holds %q", what, r)
		}
	}
}

// fault is a command that must fail.
type fault struct {
	name       string
	prepare    func(t *testing.T, dir string) // spoils a directory with a CA in pki and a pair pki/old
	args       []string
	code       int // if it is not that of the table
	says, hint string
}

func in(words ...string) []string { return slices.Clone(words) }

func issueOf(more ...string) []string { return append(in("issue", "--cn", "jane"), more...) }

// badUsage are wishes that make no sense, whatever there is on the disk.
var badUsage = []fault{
	{name: "no command of that name", args: in("isue"), says: `"isue"`, hint: "pkictl issue"},
	{name: "unknown flag", args: issueOf("--group-name", "x"), says: "--group-name", hint: "issue --help"},
	{name: "flag without a value", args: in("issue", "--cn"), says: "--cn", hint: "issue --help"},
	{name: "argument", args: issueOf("joe"), says: `"joe"`, hint: "issue --help"},
	{name: "unknown output form", args: in("list", "-o", "xml"), says: `"xml"`, hint: "yaml"},
	{name: "empty directory name", args: in("list", "--dir", ""), says: "--dir", hint: "leave"},

	{name: "no CN", args: in("issue"), says: "--cn is missing", hint: "--cn kube-admin"},
	{name: "empty CN", args: in("issue", "--cn", ""), says: "--cn is empty", hint: "value"},
	{name: "flag for CN", args: in("issue", "--cn", "--quiet"), says: `--cn has the flag "--quiet" for a value`, hint: "value"},
	{name: "CN of 65 characters", args: in("issue", "--cn", strings.Repeat("x", 65)), says: "has 65 characters", hint: "64"},
	{name: "CN of 65 characters and 260 octets", args: in("issue", "--cn", strings.Repeat("🔑", 65)), says: "has 65 characters", hint: "64"},
	{name: "line feed in the CN", args: in("issue", "--cn", "a\nb"), says: `common name "a\nb"`, hint: "leave it out"},
	{name: "escape in the CN", args: in("issue", "--cn", "a\x1b[31mb"), says: "cannot be printed", hint: "leave it out"},
	{name: "reversed text in the CN", args: in("issue", "--cn", "a\u202eb"), says: "cannot be printed", hint: "leave it out"},
	{name: "CN not in UTF-8", args: in("issue", "--cn", "a\xffb"), says: "UTF-8", hint: "UTF-8"},
	{name: "CN of blanks", args: in("issue", "--cn", "  "), says: "white space", hint: "leave"},
	{name: "/CN=x", args: in("issue", "--cn", "/CN=x"), says: `"/CN=x" looks like a distinguished name`, hint: "--cn jane"},
	{name: "/O= in the CN", args: in("issue", "--cn", "jane/O=system:masters"), says: "distinguished name", hint: "--cn jane"},
	{name: "empty group", args: issueOf("--group", ""), says: "empty", hint: ""},
	{name: "/O=x as group", args: issueOf("--group", "/O=x"), says: "distinguished name", hint: "--group dev"},
	{name: "control character in a group", args: issueOf("--group", "a\tb"), says: `group "a\tb"`, hint: "leave it out"},
	{name: "group of 65 characters", args: issueOf("--group", strings.Repeat("ä", 65)), says: "has 65 characters", hint: "64"},
	{name: "group twice", args: issueOf("--group", "dev", "--group", "ops", "--group", "dev"), says: `group "dev" is given twice`, hint: "once"},

	{name: "bad IP", args: issueOf("--ip", "10.0.0.256"), says: `"10.0.0.256" is not an IP`, hint: "10.0.0.10"},
	{name: "IP with a port", args: issueOf("--ip", "10.0.0.1:6443"), says: "not an IP", hint: "without port"},
	{name: "network", args: issueOf("--ip", "10.0.0.0/24"), says: "not an IP", hint: "mask"},
	{name: "IP with a zone", args: issueOf("--ip", "fe80::1%eth0"), says: "not an IP", hint: "zone"},
	{name: "IP twice", args: issueOf("--ip", "::1", "--ip", "0:0::1"), says: `"::1" is given twice`, hint: "once"},
	{name: "bad DNS name", args: issueOf("--dns", "a..b"), says: `"a..b" is not a DNS name`, hint: "letters"},
	{name: "IP as DNS name", args: issueOf("--dns", "10.0.0.1"), says: "not a DNS name", hint: "--ip"},
	{name: "URL as DNS name", args: issueOf("--dns", "https://a"), says: "not a DNS name", hint: "scheme"},
	{name: "DNS name not in ASCII", args: issueOf("--dns", "bücher.example"), says: "not a DNS name", hint: "letters"},
	{name: "bare wildcard", args: issueOf("--dns", "*"), says: "wildcard", hint: "first label"},
	{name: "wildcard of a top-level domain", args: issueOf("--dns", "*.com"), says: "wildcard", hint: "first label"},
	{name: "wildcard within", args: issueOf("--dns", "a.*.example.com"), says: "wildcard", hint: "first label"},
	{name: "part of a label as wildcard", args: issueOf("--dns", "a*.example.com"), says: "wildcard", hint: "first label"},
	{name: "URI without a scheme", args: issueOf("--uri", "example.com/x"), says: "not an absolute URI", hint: "spiffe://"},
	{name: "URI that no parser takes", args: issueOf("--uri", "https://a..b/"), says: "a..b", hint: "nothing was signed"},
	{name: "bad e-mail address", args: issueOf("--email", "Jane <jane@x>"), says: "not an e-mail", hint: "jane@example.com"},

	{name: "unknown profile", args: issueOf("--profile", "sever"), says: `unknown profile "sever"`, hint: "client, server, peer"},
	{name: "unknown key kind", args: issueOf("--key", "rsa-1024"), says: `unknown key kind "rsa-1024"`, hint: "rsa-2048"},
	{name: "validity of 0", args: issueOf("--validity", "0d"), says: "is zero", hint: "90d"},
	{name: "negative validity", args: issueOf("--validity", "-1d"), says: "is negative", hint: "90d"},
	{name: "validity without a unit", args: issueOf("--validity", "90"), says: "not a number with a unit", hint: "90d"},
	{name: "endless validity", args: issueOf("--validity", "1000y"), says: "too long", hint: "90d"},
	{name: "validity beyond the CA's end", args: issueOf("--validity", "10y1s"), says: "after its CA", hint: "at most"},
	{name: "server without a name", args: in("issue", "--cn", "API Server", "--profile", "server"), says: "names no server", hint: "--dns"},
	{name: "the CA's own name", args: in("issue", "--cn", "KUBERNETES-CA"), says: "name of the CA itself", hint: "another"},

	{name: "CN ca", args: in("issue", "--cn", "ca", "--force"), says: "replace the CA's own", hint: "--out"},
	{name: "out is the CA", args: issueOf("--out", "./x/../pki/ca", "--force"), says: "replace the CA's own", hint: "--out"},
	{name: "out is the CA by another name", args: issueOf("--out", "link/ca", "--force"), says: "replace the CA's own", hint: "--out",
		prepare: func(t *testing.T, dir string) { ok(t, os.Symlink("pki", filepath.Join(dir, "link"))) }},
	{name: "kubeconfig is the CA key", says: "replace the CA's own", hint: "--out",
		args: issueOf("--kubeconfig", "pki/ca.key", "--server", "https://x")},
	{name: "kubeconfig without server", args: issueOf("--kubeconfig", "x.conf"), says: "URL of the API server", hint: "--server"},
	{name: "server without kubeconfig", args: issueOf("--server", "https://x"), says: "--server is for a kubeconfig", hint: "--kubeconfig"},
	{name: "plain HTTP", args: issueOf("--kubeconfig", "x.conf", "--server", "http://x"), says: "not https", hint: "TLS"},
	{name: "server URL without a host", args: issueOf("--kubeconfig", "x.conf", "--server", "https://:6443"), says: "not the URL", hint: "6443"},
	{name: "password in the server URL", args: issueOf("--kubeconfig", "x.conf", "--server", "https://u:p@x"), says: "not the URL", hint: "6443"},
	{name: "bad namespace", says: `"Dev" is not the name of a namespace`, hint: "lower-case",
		args: issueOf("--kubeconfig", "x.conf", "--server", "https://x", "--namespace", "Dev")},
	{name: "kubeconfig for a server", says: "cannot log in", hint: "--profile client",
		args: issueOf("--kubeconfig", "x.conf", "--server", "https://x", "--profile", "server", "--dns", "x")},

	{name: "init: bad CN", args: in("init-ca", "--dir", "new", "--cn", "/CN=x"), says: "distinguished name", hint: "--cn jane"},
	{name: "init: bad organization", args: in("init-ca", "--dir", "new", "--org", "a\nb"), says: `organization "a\nb"`, hint: "leave it out"},
	{name: "init: unknown key kind", args: in("init-ca", "--dir", "new", "--key", "dsa"), says: `unknown key kind "dsa"`, hint: "ecdsa-p256"},
	{name: "init: validity of 0", args: in("init-ca", "--dir", "new", "--validity", "0y"), says: "is zero", hint: "1y"},
	{name: "init: negative validity", args: in("init-ca", "--dir", "new", "--validity", "-10y"), says: "is negative", hint: "1y"},
	{name: "list: validity of 0", args: in("list", "--expiring", "0d"), says: "is zero", hint: "90d"},
	{name: "list: no length of time", args: in("list", "--expiring", "soon"), says: "not a number with a unit", hint: "90d"},
}

// badState are good wishes that cannot be met as the disk is.
var badState = []fault{
	{name: "no directory", args: issueOf("--dir", "none"), says: `there is no CA in "none"`, hint: "pkictl init-ca --dir none"},
	{name: "no CA yet", args: issueOf("--dir", "empty"), says: `there is no CA in "empty"`, hint: "pkictl init-ca --dir empty",
		prepare: func(t *testing.T, dir string) { ok(t, os.Mkdir(filepath.Join(dir, "empty"), 0o700)) }},
	{name: "no CA to list", args: in("list", "--dir", "none"), says: `there is no CA in "none"`, hint: "pkictl init-ca"},
	{name: "no CA in the default directory", args: issueOf(), says: `there is no CA in "pki"`, hint: "make one with: pkictl init-ca",
		prepare: func(t *testing.T, dir string) { ok(t, os.RemoveAll(filepath.Join(dir, "pki"))) }},
	{name: "directory is a file", args: issueOf("--dir", "pki/ca.crt"), says: "not a directory", hint: "--dir"},
	{name: "CA without key", args: issueOf(), says: "has no key", hint: "restore ca.key", prepare: remove("pki/ca.key")},
	{name: "key without CA", args: issueOf(), says: "there is no CA", hint: "init-ca", prepare: remove("pki/ca.crt")},
	{name: "key that does not match", args: issueOf(), says: "does not belong to", hint: "restore the pair", prepare: copied("pki/old.key", "pki/ca.key")},
	{name: "certificate that is no CA's", args: issueOf(), says: "not the certificate of a CA", hint: "--dir", prepare: copied("pki/old.crt", "pki/ca.crt")},
	{name: "damaged certificate", args: issueOf(), says: "holds no certificate", hint: "BEGIN CERTIFICATE", prepare: written("pki/ca.crt", "noise")},
	{name: "damaged key", args: issueOf(), says: "holds no private key", hint: "BEGIN PRIVATE KEY", prepare: written("pki/ca.key", "noise")},
	{name: "encrypted key", args: issueOf(), says: "is encrypted", hint: "openssl pkey", prepare: func(t *testing.T, dir string) {
		key := filepath.Join(dir, "pki/ca.key")
		out, err := exec.Command("openssl", "pkey", "-in", key, "-aes256", "-passout", "pass:x", "-out", key+".enc").CombinedOutput()
		if err != nil {
			t.Fatalf("openssl: %v\n%s", err, out)
		}
		ok(t, os.Rename(key+".enc", key))
	}},
	{name: "certificate is a directory", args: issueOf(), says: "is a directory", hint: "--dir", prepare: func(t *testing.T, dir string) {
		remove("pki/ca.crt")(t, dir)
		ok(t, os.Mkdir(filepath.Join(dir, "pki/ca.crt"), 0o700))
	}},

	{name: "second CA", args: in("init-ca"), says: "there is a CA", hint: "--dir DIR"},
	{name: "second CA beside a lone key", args: in("init-ca"), says: "there is a CA", hint: "--dir DIR", prepare: remove("pki/ca.crt")},
	{name: "CA below a file", args: in("init-ca", "--dir", "pki/ca.crt/x"), says: "not a directory", hint: "--dir"},
	{name: "CA in a file", args: in("init-ca", "--dir", "pki/ca.crt"), says: "not a directory", hint: "--dir"},
	{name: "symlink where the CA key should go", args: in("init-ca", "--dir", "new"), says: "symbolic link", hint: "remove the link",
		prepare: func(t *testing.T, dir string) {
			ok(t, os.Mkdir(filepath.Join(dir, "new"), 0o700))
			ok(t, os.Symlink("../elsewhere", filepath.Join(dir, "new", "ca.key")))
		}},
	{name: "directory where the CA certificate should go", args: in("init-ca", "--dir", "new"), says: "is not a file", hint: "--out",
		prepare: func(t *testing.T, dir string) { ok(t, os.MkdirAll(filepath.Join(dir, "new", "ca.crt"), 0o700)) }},

	{name: "pair exists", args: in("issue", "--cn", "old"), says: `"pki/old.crt" exists`, hint: "--force"},
	{name: "key alone exists", args: in("issue", "--cn", "old"), says: `"pki/old.key" exists`, hint: "--force", prepare: remove("pki/old.crt")},
	{name: "kubeconfig exists", args: issueOf("--kubeconfig", "x.conf", "--server", "https://x"), says: `"x.conf" exists`, hint: "--force",
		prepare: written("x.conf", "mine")},
	{name: "kubeconfig to replace is none", says: "is not a kubeconfig", hint: "kind: Config",
		args: issueOf("--kubeconfig", "x.conf", "--server", "https://x", "--force"), prepare: written("x.conf", "mine")},
	{name: "kubeconfig of others", says: "holds other entries", hint: "merge",
		args:    issueOf("--kubeconfig", "x.conf", "--server", "https://x", "--force"),
		prepare: written("x.conf", "apiVersion: v1\nkind: Config\nusers: [{name: joe, user: {token: t}}]\n")},
	{name: "kubeconfig is the certificate", says: "two things", hint: "different", code: 2,
		args: issueOf("--kubeconfig", "pki/jane.crt", "--server", "https://x")},
	{name: "symlink where a key should go", args: issueOf(), says: `"pki/jane.key" is a symbolic link`, hint: "remove the link",
		prepare: linked("../target", "pki/jane.key")},
	{name: "symlink where a key should go, with force", args: issueOf("--force"), says: `"pki/jane.key" is a symbolic link`, hint: "remove the link",
		prepare: linked("../target", "pki/jane.key")},
	{name: "symlink to a file", args: issueOf("--force"), says: "symbolic link", hint: "remove the link", prepare: func(t *testing.T, dir string) {
		written("target", "precious")(t, dir)
		linked("../target", "pki/jane.key")(t, dir)
	}},
	{name: "symlink where a certificate should go", args: issueOf("--force"), says: `"pki/jane.crt" is a symbolic link`, hint: "remove the link",
		prepare: linked("old.crt", "pki/jane.crt")},
	{name: "symlink where a kubeconfig should go", says: `"x.conf" is a symbolic link`, hint: "remove the link",
		args: issueOf("--kubeconfig", "x.conf", "--server", "https://x"), prepare: linked("nowhere", "x.conf")},
	{name: "directory where a key should go", args: issueOf("--force"), says: `"pki/jane.key" is not a file`, hint: "--out",
		prepare: func(t *testing.T, dir string) { ok(t, os.Mkdir(filepath.Join(dir, "pki/jane.key"), 0o700)) }},
	{name: "no directory for the pair", args: issueOf("--out", "none/jane"), says: "no such file or directory", hint: "make the directory"},
	{name: "a file for a directory of the pair", args: issueOf("--out", "pki/old.key/jane"), says: "not a directory", hint: "--out"},
	{name: "name too long for a file", args: in("issue", "--cn", strings.Repeat("🔑", 64)), says: "name too long", hint: "--out"},
	{name: "name too long for a file beside", args: in("issue", "--cn", strings.Repeat("🔑", 60)), says: "name too long", hint: "--out"},

	{name: "renew what is revoked", args: in("renew", "old"), says: "is revoked", hint: "pkictl issue",
		prepare: changed("UPDATE certificates SET status = 'revoked', revoked_at = CURRENT_TIMESTAMP WHERE common_name = 'old'")},
	{name: "renew without a key", args: in("renew", "old"), says: `there is no key "pki/old.key"`, hint: "where its key is", prepare: remove("pki/old.key")},
	{name: "renew with another key", args: in("renew", "old"), says: "does not belong to", hint: "restore the pair", prepare: copied("pki/ca.key", "pki/old.key")},
	{name: "renew what is no certificate", args: in("renew", "old"), says: "holds no certificate", hint: "BEGIN CERTIFICATE", prepare: written("pki/old.crt", "noise")},
	{name: "renew through a symlink", args: in("renew", "old"), says: `"pki/old.crt" is a symbolic link`, hint: "remove the link",
		prepare: func(t *testing.T, dir string) {
			ok(t, os.Rename(filepath.Join(dir, "pki/old.crt"), filepath.Join(dir, "target.crt")))
			linked("../target.crt", "pki/old.crt")(t, dir)
		}},
	{name: "renew the CA", args: in("renew", "pki/ca.crt"), says: "certificate of a CA", hint: "make a new CA"},
	{name: "renew nobody's", args: in("renew", "nobody"), says: `no certificate of "nobody"`, hint: "pkictl list"},
	{name: "renew with a kubeconfig of others", args: in("renew", "old", "--kubeconfig", "x.conf"), says: "holds no certificate that is to be renewed",
		hint: "pkictl inspect x.conf", prepare: written("x.conf", "apiVersion: v1\nkind: Config\nusers: [{name: joe, user: {token: t}}]\n")},
	{name: "a batch with an unknown column", args: in("issue", "-f", "x.csv"), says: `line 1 of "x.csv": unknown column "role"`, hint: "known are cn", code: 2,
		prepare: written("x.csv", "cn,role\njane,dev\n")},
	{name: "a batch that is not there", args: in("issue", "-f", "x.csv"), says: `cannot read "x.csv"`, hint: "check the name"},

	{name: "damaged inventory", args: issueOf(), says: "not a database", hint: "backup",
		prepare: written("pki/inventory.db", strings.Repeat("noise", 1000))},
	{name: "damaged inventory to list", args: in("list"), says: "not a database", hint: "backup",
		prepare: written("pki/inventory.db", strings.Repeat("noise", 1000))},
	{name: "another program's inventory", args: issueOf(), says: "another program", hint: "move it away", prepare: database("CREATE TABLE notes (x)")},
	{name: "another program's inventory to list", args: in("list"), says: "another program", hint: "move it away", prepare: database("CREATE TABLE notes (x)")},
	{name: "newer inventory", args: issueOf(), says: "newer pkictl", hint: "newest", prepare: changed("PRAGMA user_version = 1000")},
	{name: "newer inventory to list", args: in("list"), says: "newer pkictl", hint: "newest", prepare: changed("PRAGMA user_version = 1000")},
	{name: "inventory is a directory", args: issueOf(), says: "is a directory", hint: "--dir", prepare: func(t *testing.T, dir string) {
		remove("pki/inventory.db")(t, dir)
		ok(t, os.Mkdir(filepath.Join(dir, "pki/inventory.db"), 0o700))
	}},
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func remove(path string) func(*testing.T, string) {
	return func(t *testing.T, dir string) { ok(t, os.Remove(filepath.Join(dir, path))) }
}

func written(path, text string) func(*testing.T, string) {
	return func(t *testing.T, dir string) { ok(t, os.WriteFile(filepath.Join(dir, path), []byte(text), 0o600)) }
}

func copied(from, to string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		data, err := os.ReadFile(filepath.Join(dir, from))
		ok(t, err)
		written(to, string(data))(t, dir)
	}
}

func linked(target, path string) func(*testing.T, string) {
	return func(t *testing.T, dir string) { ok(t, os.Symlink(target, filepath.Join(dir, path))) }
}

// changed runs SQL on the inventory, database on a new one in its place.
func changed(statement string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "pki", "inventory.db"))
		ok(t, err)
		_, err = db.Exec(statement)
		ok(t, errors.Join(err, db.Close()))
	}
}

func database(statement string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		remove("pki/inventory.db")(t, dir)
		remove("pki/inventory.db-journal")(t, dir)
		changed(statement)(t, dir)
	}
}

// newSite makes a directory with a CA in pki and a pair pki/old.
func newSite(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	do(t, dir, "init-ca")
	do(t, dir, "issue", "--cn", "old")
	return dir
}

// TestFaults: every fault gives one error and one hint, and changes nothing.
func TestFaults(t *testing.T) {
	t.Parallel()
	for code, faults := range map[int][]fault{2: badUsage, 1: badState} {
		for _, f := range faults {
			t.Run(f.name, func(t *testing.T) {
				t.Parallel()
				f.check(t, max(code, f.code))
			})
		}
	}
}

func (f fault) check(t *testing.T, code int) {
	t.Helper()
	dir := newSite(t)
	if f.prepare != nil {
		f.prepare(t, dir)
	}
	before := snapshot(t, dir)
	got := runProgram(t, program(dir, f.args...))
	checkRefusal(t, "run", got, code, f.says, f.hint)
	checkUnchanged(t, "run", dir, before)
	if f.code == 2 || f.args[0] == "isue" {
		return
	}
	quiet := runProgram(t, program(dir, slices.Insert(in(f.args...), 1, "--quiet")...))
	checkRefusal(t, "--quiet", quiet, code, f.says, f.hint)
	if code == 2 && f.args[0] != "list" { // what is wrong with a wish, a dry run tells, too
		dry := runProgram(t, program(dir, slices.Insert(in(f.args...), 1, "--dry-run")...))
		checkRefusal(t, "--dry-run", dry, code, f.says, f.hint)
	}
	checkUnchanged(t, "again", dir, before)
}
