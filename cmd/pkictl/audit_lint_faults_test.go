package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const mendable = "apiVersion: audit.k8s.io/v1beta1\nkind: Policy\nrules:\n- level: Metadata\n"

func lintOf(more ...string) []string { return append(in("audit", "lint", "audit.yaml"), more...) }

// TestAuditLintFaults: for each bad input one error, one hint, and nothing on disk
// changes.
func TestAuditLintFaults(t *testing.T) {
	t.Parallel()
	for _, f := range []fault{
		{name: "no argument", args: in("audit", "lint"), says: "takes one FILE", hint: "--help", code: 2},
		{name: "empty argument", args: in("audit", "lint", ""), says: "takes one FILE", hint: "--help", code: 2},
		{name: "two arguments", args: lintOf("other.yaml"), says: "takes one FILE", hint: "--help", code: 2},
		{name: "dry run of nothing", args: lintOf("--dry-run"), says: "--dry-run says what --fix would do", hint: "--fix", code: 2},
		{name: "no file", args: lintOf("--fix"), says: `cannot read "audit.yaml"`, hint: "check the name"},
		{name: "directory", args: in("audit", "lint", "pki", "--fix"), says: `cannot read "pki"`, hint: "name a file in it"},
		{name: "large", args: lintOf("--fix"), says: "larger than 4 MiB", hint: "file you mean", prepare: written("audit.yaml", strings.Repeat("# text\n", 1<<20))},
		{name: "endless", args: in("audit", "lint", "/dev/zero"), says: "larger than 4 MiB", hint: "file you mean"},
		{name: "tabs", args: lintOf("--fix"), says: `"audit.yaml" is not valid YAML: line 4`, hint: "spaces", code: 2, prepare: written("audit.yaml", "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n\t- level: None\n")},
		{name: "no YAML", args: lintOf("--fix"), says: "is not valid YAML", hint: "quotes", code: 2, prepare: written("audit.yaml", "rules: [\n")},
		{name: "control characters", args: lintOf(), says: "is not valid YAML", hint: "indentation", code: 2, prepare: written("audit.yaml", "\x1b[2J: x\n")},
		{name: "write-protected", args: lintOf("--fix"), says: "write-protected", hint: "chmod u+w", prepare: both(written("audit.yaml", mendable), func(t *testing.T, dir string) {
			ok(t, os.Chmod(filepath.Join(dir, "audit.yaml"), 0o400))
		})},
		{name: "symbolic link", args: lintOf("--fix"), says: `"audit.yaml" is not a file`, hint: "another file", prepare: both(written("real.yaml", mendable), linked("real.yaml", "audit.yaml"))},
	} {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			f.check(t, max(1, f.code))
		})
	}
}

// TestAuditLintUnchanged: what is not to be written, or needs not, stays byte for
// byte, and the same file.
func TestAuditLintUnchanged(t *testing.T) {
	t.Parallel()
	good := "apiVersion: audit.k8s.io/v1\r\nkind: Policy # this\r\nrules:\r\n- level: Metadata"
	for name, test := range map[string]struct {
		data string
		args []string
		code int
	}{
		"nothing to mend":     {good, lintOf("--fix"), 0},
		"shown alone":         {mendable, lintOf("--fix", "--dry-run"), 3},
		"nothing is certain":  {mendable + "  users: a, b\n", lintOf(), 3},
		"quiet and shown":     {mendable, lintOf("--fix", "--dry-run", "--quiet"), 3},
		"JSON, shown":         {mendable, lintOf("--fix", "--dry-run", "-o", "json"), 3},
		"no trailing newline": {strings.TrimSuffix(mendable, "\n"), lintOf(), 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			path := filepath.Join(dir, "audit.yaml")
			ok(t, os.WriteFile(path, []byte(test.data), 0o644))
			before, err := os.Stat(path)
			ok(t, err)
			if got := runProgram(t, program(dir, test.args...)); got.code != test.code || got.stderr != "" {
				t.Errorf("%+v", got)
			}
			after, err := os.Stat(path)
			ok(t, err)
			data, err := os.ReadFile(path)
			ok(t, err)
			entries, err := os.ReadDir(dir)
			ok(t, err)
			if string(data) != test.data || !os.SameFile(before, after) || len(entries) != 1 {
				t.Errorf("%q, %v", data, entries)
			}
		})
	}
}
