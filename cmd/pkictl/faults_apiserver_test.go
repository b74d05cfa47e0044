package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func flagsOf(more ...string) []string { return append(in("apiserver", "flags"), more...) }

// TestAPIServerFlagsFaults: for each bad input one error, one hint, and nothing on
// disk changes.
func TestAPIServerFlagsFaults(t *testing.T) {
	t.Parallel()
	const config = "host/etc/kubernetes/apiserver/encryption-config.yaml"
	at := func(path string, prepare func(string) func(*testing.T, string)) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			ok(t, os.MkdirAll(filepath.Join(dir, filepath.Dir(path)), 0o700))
			prepare(path)(t, dir)
		}
	}
	holding := func(text string) func(string) func(*testing.T, string) {
		return func(path string) func(*testing.T, string) { return written(path, text) }
	}
	for _, f := range []fault{
		{name: "nothing", args: flagsOf(), says: "nothing is asked", hint: "--help", code: 2},
		{name: "argument", args: flagsOf("x"), says: "takes no argument", hint: "--help", code: 2},
		{name: "unknown form", args: flagsOf("-o", "xml"), says: "unknown output form", hint: "kubeadm-patch", code: 2},
		{name: "force without files", args: flagsOf("--set", "event-ttl=1h", "--force"), says: "none is written", hint: "--out", code: 2},
		{name: "unit for another form", args: flagsOf("--set", "event-ttl=1h", "--unit", "x"), says: "is for a drop-in", hint: "-o systemd", code: 2},
		{name: "no unit", args: flagsOf("--set", "event-ttl=1h", "--unit", "x", "-o", "systemd"), says: `cannot read "x"`, hint: "name"},
		{name: "strong beside others", args: flagsOf("--tls-cipher-suites", "strong,TLS_AES_256_GCM_SHA384"), says: "beside others", hint: "others", code: 2},
		{name: "no policy", args: flagsOf("--audit-policy-from", "x"), says: `cannot read "x"`, hint: "name"},
		{name: "endless policy", args: flagsOf("--audit-policy-from", "/dev/zero"), says: "larger than 4 MiB", hint: "file you mean"},
		{name: "empty policy", args: flagsOf("--audit-policy-from", "x"), says: "there is no policy in it", hint: "audit generate", code: 2, prepare: written("x", "")},
		{name: "authentication with tabs", args: flagsOf("--authentication-config-from", "x"), says: "not valid YAML", hint: "spaces", code: 2, prepare: written("x", "a:\n\tb: c\n")},
		{name: "authorization with an alias", args: flagsOf("--authorization-config-from", "x"), says: "alias", hint: "out", code: 2, prepare: written("x", "a: &b c\nd: *b\n")},
		{name: "escapes", args: flagsOf("--set", "\x1b[31m=\u202e"), says: "has no flag", hint: "--help", code: 2},
		{name: "a file for a directory", args: flagsOf("--audit-preset", "exam", "--out", "pki/old.key"), says: "not a directory", hint: ""},
		{name: "a file for the log's directory", args: flagsOf("--audit-preset", "exam", "--out", "host"), says: "is not a directory", hint: "move it away",
			prepare: at("host/var/log/kubernetes/audit", holding("x"))},
		{name: "a directory for a policy", args: flagsOf("--audit-preset", "exam", "--out", "host"), says: "is not a file", hint: "move it away",
			prepare: at("host/etc/kubernetes/apiserver/audit-policy.yaml/x", holding("x"))},
		{name: "a link for a configuration", args: flagsOf("--encrypt", "secrets", "--out", "host"), says: "is not a file", hint: "move it away",
			prepare: at(config, func(path string) func(*testing.T, string) { return linked("nowhere", path) })},
		{name: "another configuration", args: flagsOf("--encrypt", "secrets", "--out", "host"), says: "is no EncryptionConfiguration", hint: "move it away", code: 4,
			prepare: at(config, holding("secret: "+strings.Repeat("A", 43)+"="))},
	} {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			f.check(t, max(1, f.code))
		})
	}
}
