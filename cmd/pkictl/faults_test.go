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
// environment of whoever runs the tests, nor their terminal.
func program(dir string, args ...string) *exec.Cmd {
	cmd := exec.Command(pkictl(), args...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir}
	detach(cmd)
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
	{name: "encrypted key", args: issueOf(), says: `key "pki/ca.key" is encrypted`, hint: "pass --passphrase-file, or set PKICTL_PASSPHRASE",
		prepare: encryptedKey()},
	{name: "wrong passphrase", args: issueOf("--passphrase-file", "pass"), says: `the passphrase of key "pki/ca.key" is wrong`, hint: "typing error",
		prepare: both(encryptedKey(), written("pass", "another one\n"))},
	{name: "wrong passphrase of the old form", args: issueOf("--passphrase-file", "pass"), says: `the passphrase of key "pki/ca.key" is wrong`, hint: "typing error",
		prepare: both(encryptedKey("-traditional"), written("pass", "another one\n"))},
	{name: "encrypted key cut off", args: issueOf("--passphrase-file", "pass"), says: `key "pki/ca.key" is cut off`, hint: "backup",
		prepare: both(encryptedKey(), written("pass", keyPassphrase+"\n"), func(t *testing.T, dir string) {
			ok(t, os.Truncate(filepath.Join(dir, "pki/ca.key"), 300))
		})},
	{name: "encrypted key cut off inside", args: issueOf("--passphrase-file", "pass"), says: `key "pki/ca.key" is damaged`, hint: "backup",
		prepare: both(written("pass", keyPassphrase+"\n"),
			written("pki/ca.key", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIH1MGAGCSqGSIb3DQEFDTBTMDIGCSqGSIb3DQEFDDAl\n-----END ENCRYPTED PRIVATE KEY-----\n"))},
	{name: "no passphrase file", args: issueOf("--passphrase-file", "none"), says: `cannot read "none"`, hint: "check the name", prepare: encryptedKey()},
	{name: "empty passphrase file", args: issueOf("--passphrase-file", "pass"), says: `passphrase file "pass" is empty`, hint: "first line",
		prepare: both(encryptedKey(), written("pass", "\n"+keyPassphrase))},
	{name: "endless passphrase file", args: issueOf("--passphrase-file", "/dev/zero"), says: `"/dev/zero" is larger than 1 KiB`, hint: "the file you mean",
		prepare: encryptedKey()},
	{name: "passphrase from standard input", args: issueOf("--passphrase-file", "-"), says: `cannot read "-"`, hint: "check the name", prepare: encryptedKey()},
	{name: "verify: wrong passphrase", args: in("verify", "pki/ca.crt", "--key", "pki/ca.key", "--passphrase-file", "pass"),
		says: `the passphrase of key "pki/ca.key" is wrong`, hint: "typing error", prepare: both(encryptedKey(), written("pass", "another one\n"))},
	{name: "verify: no passphrase", args: in("verify", "pki/ca.crt", "--key", "pki/ca.key"), says: `key "pki/ca.key" is encrypted`, hint: "--passphrase-file",
		prepare: encryptedKey()},
	{name: "init: nobody to ask", args: in("init-ca", "--dir", "new", "--encrypt-key"), says: `no passphrase for the new key "new/ca.key"`, hint: "--passphrase-file"},
	{name: "init: no passphrase file", args: in("init-ca", "--dir", "new", "--passphrase-file", "none"), says: `cannot read "none"`, hint: "check the name"},
	{name: "init: no PKCS#11", args: in("init-ca", "--dir", "new", "--pkcs11", "pkcs11:token=pki;object=ca?module-path=/m.so"),
		says: "this pkictl is built without", hint: "-tags pkcs11"},
	{name: "CA key in a token", args: issueOf(), says: "this pkictl is built without", hint: "-tags pkcs11", prepare: written("pki/ca.key", tokenKey)},
	{name: "damaged reference to a token", args: issueOf(), says: `key "pki/ca.key" cannot be read`, hint: "backup",
		prepare: written("pki/ca.key", strings.Replace(tokenKey, "UHJvdmlk", "VHJvdmlk", 1))},
	{name: "certificate is a directory", args: issueOf(), says: "is a directory", hint: "name a file in it", prepare: func(t *testing.T, dir string) {
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
	{name: "directory where the CA certificate should go", args: in("init-ca", "--dir", "new"), says: "is not a file", hint: "--dir",
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

	{name: "export exists", args: issueOf("-o", "pem"), says: `"pki/jane.pem" exists`, hint: "--force", prepare: written("pki/jane.pem", "mine")},
	{name: "Secret exists", args: issueOf("-o", "tls-secret", "--export", "x.yaml"), says: `"x.yaml" exists`, hint: "--force", prepare: written("x.yaml", "mine")},
	{name: "symlink where an export should go", args: issueOf("-o", "pem", "--force"), says: `"pki/jane.pem" is a symbolic link`, hint: "remove the link",
		prepare: linked("../target", "pki/jane.pem")},
	{name: "no directory for the export", args: issueOf("-o", "pem", "--export", "none/x.pem"), says: "no such file or directory", hint: "make the directory"},
	{name: "directory where an export should go", args: issueOf("-o", "pem", "--export", "pki", "--force"), says: `"pki" is not a file`, hint: "--out"},
	{name: "no password file", args: issueOf("-o", "p12", "--export-passphrase-file", "pw"), says: `cannot read "pw"`, hint: "name"},
	{name: "empty password file", args: issueOf("-o", "p12", "--export-passphrase-file", "pw"), says: `passphrase file "pw" is empty`, hint: "first line",
		prepare: written("pw", "\nsecret\n")},
	{name: "endless password file", args: issueOf("-o", "p12", "--export-passphrase-file", "/dev/zero"), says: "larger than 1 KiB", hint: "file you mean"},
	{name: "no profile file", args: issueOf("--profile-file", "none"), says: `cannot read "none"`, hint: "check the name"},
	{name: "profile file is a directory", args: issueOf("--profile-file", "pki"), says: "is a directory", hint: "name a file in it"},
	{name: "endless profile file", args: issueOf("--profile-file", "/dev/zero"), says: "is larger than", hint: "the file you mean"},
	{name: "no request", args: in("issue", "--csr", "none"), says: `cannot read "none"`, hint: "check the name"},
	{name: "request that is none", args: in("issue", "--csr", "pki/old.crt"), says: `a block "CERTIFICATE", not a certificate request`, hint: "pkictl inspect"},
	{name: "endless request", args: in("issue", "--csr", "/dev/zero"), says: "is larger than", hint: "the file you mean"},
	{name: "certificate exists for a request", args: in("issue", "--csr", "x"), says: `"pki/old.crt" exists`, hint: "--force", prepare: func(t *testing.T, dir string) {
		request("-subj", "/CN=old")(t, dir)
		remove("pki/old.key")(t, dir)
	}},
	{name: "damaged key beside a request", args: in("issue", "--csr", "x"), says: `"pki/x.key" is neither PEM nor`, hint: "-----BEGIN", prepare: func(t *testing.T, dir string) {
		request("-subj", "/CN=x")(t, dir)
		written("pki/x.key", "noise")(t, dir)
	}},
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

// forbidden are wishes that a rule stands against.
var forbidden = []fault{
	{name: "group beyond the profile", args: issueOf("--group", "ops", "--profile-file", "x"), says: `does not allow the group "ops"`, hint: "dev-*",
		prepare: written("x", "apiVersion: pkictl.dev/v1\nkind: Profiles\nprofiles:\n- {name: a, usages: [client auth], limits: {groups: [dev-*]}}\n")},
	{name: "name beyond cfssl's list", args: issueOf("--profile-file", "x"), says: `does not allow the name "jane"`, hint: "name_whitelist",
		prepare: written("x", `{"signing": {"default": {"usages": ["client auth"], "expiry": "1h", "name_whitelist": "^joe$"}}}`)},
	{name: "request for a CA", args: in("issue", "--csr", "x"), says: "CA:TRUE", hint: "init-ca --parent",
		prepare: request("-subj", "/CN=x", "-addext", "basicConstraints=CA:TRUE")},
	{name: "request for system:masters", args: in("issue", "--csr", "x"), says: "asks for the group system:masters", hint: "--allow group:system:masters",
		prepare: request("-subj", "/O=system:masters/CN=x")},
	{name: "request beside another key", args: in("issue", "--csr", "x", "--force"), says: "is not the key of", hint: "--out", prepare: request("-subj", "/CN=old")},
	{name: "request of the CA", args: in("issue", "--csr", "x"), says: "is that of the CA", hint: "of its own", prepare: request("-subj", "/CN=x", "-key", "pki/ca.key")},
}

// request has OpenSSL make the request x.
func request(args ...string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		if !slices.Contains(args, "-key") {
			args = append(args, "-newkey", "rsa:2048", "-nodes", "-keyout", "x.pem")
		}
		cmd := exec.Command("openssl", append(in("req", "-new", "-out", "x"), args...)...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("openssl: %v\n%s", err, out)
		}
	}
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// keyPassphrase is the one of encryptedKey.
const keyPassphrase = "correct horse battery"

// tokenKey is a ca.key that is in a PKCS#11 token.
const tokenKey = `-----BEGIN PKCS#11 PROVIDER URI-----
MHAaGVBLQ1MjMTEgUHJvdmlkZXIgVVJJIHYxLjAMU3BrY3MxMTp0b2tlbj1wa2k7
b2JqZWN0PWNhO3R5cGU9cHJpdmF0ZT9tb2R1bGUtcGF0aD0vdXNyL2xpYi9zb2Z0
aHNtL2xpYnNvZnRoc20yLnNv
-----END PKCS#11 PROVIDER URI-----
`

// encryptedKey has OpenSSL encrypt the CA's key.
func encryptedKey(more ...string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		key := filepath.Join(dir, "pki/ca.key")
		args := append([]string{"pkey", "-in", key, "-aes256", "-passout", "pass:" + keyPassphrase, "-out", key + ".enc"}, more...)
		if out, err := exec.Command("openssl", args...).CombinedOutput(); err != nil {
			t.Fatalf("openssl: %v\n%s", err, out)
		}
		ok(t, os.Rename(key+".enc", key))
	}
}

// both prepares one thing after the other.
func both(steps ...func(*testing.T, string)) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		for _, step := range steps {
			step(t, dir)
		}
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
	for code, faults := range map[int][]fault{2: badUsage, 1: badState, 4: forbidden} {
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
