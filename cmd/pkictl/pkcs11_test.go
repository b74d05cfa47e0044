//go:build pkcs11

package main_test

import (
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// softHSM is the PKCS#11 library of the tests.
const softHSM = "/usr/lib/softhsm/libsofthsm2.so"

// taggedDir builds the program with the tag pkcs11 and returns its directory.
var taggedDir = sync.OnceValues(func() (string, error) {
	dir := filepath.Join(binDir, "pkcs11")
	build := exec.Command("go", "build", "-tags", "pkcs11", "-o", filepath.Join(dir, "pkictl"), ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=1")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build pkictl with PKCS#11: %w\n%s", err, out)
	}
	return dir, nil
})

// newToken gives a directory a SoftHSM of its own and returns the variable
// that names its configuration.
func newToken(dir string) (string, error) {
	tokens, config := filepath.Join(dir, "tokens"), filepath.Join(dir, "softhsm2.conf")
	if err := os.Mkdir(tokens, 0o700); err != nil {
		return "", err
	}
	err := os.WriteFile(config, []byte("directories.tokendir = "+tokens+"\nobjectstore.backend = file\nlog.level = ERROR\n"), 0o600)
	return config, err
}

// TestPKCS11 runs scripts with a program that knows PKCS#11, each with tokens
// of its own.
func TestPKCS11(t *testing.T) {
	t.Parallel()
	tagged, err := taggedDir()
	ok(t, err)
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script_pkcs11"),
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			config, err := newToken(env.WorkDir)
			env.Setenv("SOFTHSM2_CONF", config)
			env.Setenv("MODULE", softHSM)
			env.Setenv("PATH", strings.Join([]string{tagged, os.Getenv("PATH")}, string(os.PathListSeparator)))
			return err
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "mode": mode},
	})
}

// tokenFaults are what can be wrong with a token. Each site has the CA's key
// in a token "pki", where there is also a token "empty".
var tokenFaults = []fault{
	{name: "wrong PIN", args: issueOf("--passphrase-file", "wrong"), says: `the PIN of PKCS#11 token "pki" is wrong`, hint: "locks"},
	{name: "no PIN", args: issueOf(), says: `PKCS#11 token "pki" asks for a PIN`, hint: "pass --passphrase-file, or set PKICTL_PASSPHRASE to its PIN"},
	{name: "no PIN file", args: issueOf("--passphrase-file", "none"), says: `cannot read "none"`, hint: "name"},
	{name: "no module", args: initIn("token=pki;object=x", "/usr/lib/none.so"), says: `there is no PKCS#11 library "/usr/lib/none.so"`, hint: "module-path"},
	{name: "no library", args: initIn("token=pki;object=x", "/etc/passwd"), says: `cannot load the PKCS#11 library "/etc/passwd"`, hint: "module-path"},
	{name: "library that others can change", args: issueOf("--passphrase-file", "pin"), says: "library.so\" can be changed by others, who may write to \"", hint: "chmod go-w",
		prepare: movedLibrary(0o666)},
	{name: "library where others could have put it", args: issueOf("--passphrase-file", "pin"), says: "can be changed by others, who may write to \"", hint: "only root",
		prepare: movedLibrary(0o600)},
	{name: "no token", args: initIn("token=pkj;object=x", softHSM), says: `there is no PKCS#11 token "pkj"`, hint: `tokens "`},
	{name: "no slot", args: initIn("slot-id=4;object=x", softHSM), says: `there is no PKCS#11 token "slot 4"`, hint: `tokens "`},
	{name: "not that serial", args: initIn("token=pki;serial=1;object=x", softHSM), says: `there is no PKCS#11 token "pki"`, hint: `tokens "`},
	{name: "two tokens", args: initIn("token=twin;object=x", softHSM), says: `there are 2 PKCS#11 tokens "twin"`, hint: "serial"},
	{name: "another kind of key", args: append(initIn("token=pki;object=ca", softHSM), "--key", "rsa-2048"),
		says: `key "ca" of PKCS#11 token "pki" is ecdsa-p256, not rsa-2048`, hint: "--key"},
	{name: "key is gone", args: issueOf("--passphrase-file", "pin"), says: `PKCS#11 token "empty" has no key "ca"`, hint: "--list-objects",
		prepare: func(t *testing.T, dir string) {
			ok(t, os.RemoveAll(filepath.Join(dir, "pki")))
			got := runProgram(t, tagged(t, dir, initIn("token=empty;object=ca", softHSM, "pki")...))
			if got.code != 0 {
				t.Fatal(got.stderr)
			}
			pkcs11Tool(t, dir, "--token-label", "empty", "--login", "--pin", "123456", "--delete-object", "--type", "privkey", "--label", "ca")
		}},
	{name: "two keys", args: issueOf("--passphrase-file", "pin"), says: `PKCS#11 token "pki" has 2 keys "ca"`, hint: "id",
		prepare: func(t *testing.T, dir string) {
			pkcs11Tool(t, dir, "--token-label", "pki", "--login", "--pin", "123456", "--keypairgen", "--key-type", "EC:prime256v1", "--label", "ca", "--id", "07")
		}},
	{name: "another key", args: issueOf("--passphrase-file", "pin"), says: `CA key "pki/ca.key" does not belong to`, hint: "backup",
		prepare: func(t *testing.T, dir string) {
			pkcs11Tool(t, dir, "--token-label", "pki", "--login", "--pin", "123456", "--delete-object", "--type", "privkey", "--label", "ca")
			pkcs11Tool(t, dir, "--token-label", "pki", "--login", "--pin", "123456", "--delete-object", "--type", "pubkey", "--label", "ca")
			pkcs11Tool(t, dir, "--token-label", "pki", "--login", "--pin", "123456", "--keypairgen", "--key-type", "EC:prime256v1", "--label", "ca", "--id", "07")
		}},
}

// movedLibrary copies the library to a directory of the test, which is below one
// that everybody can write to, and has the CA's key refer to it.
func movedLibrary(mode os.FileMode) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		open := filepath.Join(dir, "open")
		ok(t, os.Mkdir(open, 0o700))
		ok(t, os.Chmod(open, 0o1777)) // as /tmp
		data, err := os.ReadFile(softHSM)
		ok(t, err)
		library := filepath.Join(open, "library.so")
		ok(t, os.WriteFile(library, data, 0o600))
		ok(t, os.Chmod(library, mode))
		uri := "pkcs11:token=pki;object=ca;type=private?module-path=" + library
		der, err := asn1.Marshal(struct {
			Description asn1.RawValue
			URI         string `asn1:"utf8"`
		}{asn1.RawValue{Tag: 26, Bytes: []byte("PKCS#11 Provider URI v1.0")}, uri})
		ok(t, err)
		key := pem.EncodeToMemory(&pem.Block{Type: "PKCS#11 PROVIDER URI", Bytes: der})
		ok(t, os.WriteFile(filepath.Join(dir, "pki", "ca.key"), key, 0o600))
	}
}

// initIn is init-ca with a key in a token.
func initIn(attributes, module string, dir ...string) []string {
	return in("init-ca", "--dir", append(dir, "new")[0], "--passphrase-file", "pin", "--pkcs11", "pkcs11:"+attributes+"?module-path="+module)
}

func tagged(t *testing.T, dir string, args ...string) *exec.Cmd {
	t.Helper()
	bin, err := taggedDir()
	ok(t, err)
	cmd := program(dir, args...)
	cmd.Path = filepath.Join(bin, "pkictl")
	cmd.Env = append(cmd.Env, "SOFTHSM2_CONF="+filepath.Join(dir, "softhsm2.conf"))
	return cmd
}

func pkcs11Tool(t *testing.T, dir string, args ...string) {
	t.Helper()
	softHSMTool(t, dir, "pkcs11-tool", append([]string{"--module", softHSM}, args...)...)
}

func softHSMTool(t *testing.T, dir, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), "SOFTHSM2_CONF="+filepath.Join(dir, "softhsm2.conf"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
}

// TestPKCS11Faults: every fault gives one error and one hint, and changes
// nothing, not in the token either.
func TestPKCS11Faults(t *testing.T) {
	t.Parallel()
	for _, f := range tokenFaults {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			_, err := newToken(dir)
			ok(t, err)
			for _, label := range []string{"pki", "empty", "twin", "twin"} {
				softHSMTool(t, dir, "softhsm2-util", "--init-token", "--free", "--label", label, "--pin", "123456", "--so-pin", "87654321")
			}
			written("pin", "123456\n")(t, dir)
			written("wrong", "654321\n")(t, dir)
			if got := runProgram(t, tagged(t, dir, initIn("token=pki;object=ca", softHSM, "pki")...)); got.code != 0 {
				t.Fatal(got.stderr)
			}
			if f.prepare != nil {
				f.prepare(t, dir)
			}
			before := withoutLogins(snapshot(t, dir))
			got := runProgram(t, tagged(t, dir, f.args...))
			checkRefusal(t, "run", got, 1, f.says, f.hint)
			for _, secret := range []string{"123456", "654321"} {
				if strings.Contains(got.stderr, secret) {
					t.Errorf("the error shows a PIN:\n%s", got.stderr)
				}
			}
			if after := withoutLogins(snapshot(t, dir)); !maps.Equal(before, after) {
				t.Errorf("was\n%q\nand is\n%q", before, after)
			}
		})
	}
}

// withoutLogins takes the file from a snapshot in which SoftHSM counts logins;
// each key has a file of its own.
func withoutLogins(files map[string]string) map[string]string {
	maps.DeleteFunc(files, func(path, _ string) bool { return filepath.Base(path) == "token.object" })
	return files
}
