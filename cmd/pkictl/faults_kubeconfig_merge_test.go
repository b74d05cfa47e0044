package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const goodConfig = "clusters: [{name: c, cluster: {server: 'https://c'}}]\nusers: [{name: u, user: {token: t}}]\ncontexts: [{name: x, context: {cluster: c, user: u}}]\n"

func mergeOf(more ...string) []string {
	return append(in("kubeconfig", "merge", "new.conf", "--into", "config"), more...)
}

// TestMergeFaultyFiles: for each bad input one error, one hint, and nothing on
// disk changes.
func TestMergeFaultyFiles(t *testing.T) {
	t.Parallel()
	good := written("new.conf", goodConfig)
	directory := func(name string) func(*testing.T, string) {
		return func(t *testing.T, dir string) { ok(t, os.Mkdir(filepath.Join(dir, name), 0o700)) }
	}
	for _, f := range []fault{
		{name: "no argument", args: in("kubeconfig", "merge"), says: "requires at least 1 arg", hint: "--help", code: 2},
		{name: "no source", args: mergeOf(), says: `cannot read "new.conf"`, hint: "name"},
		{name: "empty source", args: mergeOf(), says: "has no context", hint: "set-context", prepare: written("new.conf", "")},
		{name: "directory as source", args: mergeOf(), says: `"new.conf" is a directory`, hint: "file in it", prepare: directory("new.conf")},
		{name: "large source", args: mergeOf(), says: `larger than 4 MiB`, hint: "file you mean", prepare: written("new.conf", strings.Repeat("# text\n", 10<<20/7))},
		{name: "endless source", args: in("kubeconfig", "merge", "/dev/zero", "--into", "config"), says: `larger than 4 MiB`, hint: "file you mean"},
		{name: "tabs", args: mergeOf(), says: "is not YAML", hint: "spaces", prepare: written("new.conf", "users:\n\t- name: x\n")},
		{name: "duplicate names", args: mergeOf(), says: "two users named", hint: "rename", prepare: written("new.conf", "users: [{name: u}, {name: u}]\n"+goodConfig[strings.Index(goodConfig, "contexts"):])},
		{name: "context without cluster", args: mergeOf(), says: "which is not in the file", hint: "--context", prepare: written("new.conf", "contexts: [{name: x, context: {cluster: c, user: u}}]\n")},
		{name: "no such context", args: mergeOf("--context", "y"), says: `there is no context "y"`, hint: `"x"`, code: 2, prepare: good},
		{name: "rename of another", args: mergeOf("--rename", "y=z"), says: `no context "y" comes over`, hint: `"x"`, code: 2, prepare: good},
		{name: "rename to nothing", args: mergeOf("--rename", "x="), says: "lacks a name", hint: "OLD=NEW", code: 2, prepare: good},
		{name: "rename to what cannot be shown", args: mergeOf("--rename", "x=a\u202eb"), says: "cannot be the name", hint: "another", code: 2, prepare: good},
		{name: "a foreign token file", args: mergeOf("-q"), says: `user "u" of "new.conf" sends what is in "/etc/hostname"`, hint: "--allow-token-file", code: 4,
			prepare: written("new.conf", strings.Replace(goodConfig, "token: t", "tokenFile: /etc/hostname", 1))},
		{name: "missing file to embed", args: mergeOf("--embed"), says: "cannot read", hint: "name",
			prepare: written("new.conf", strings.Replace(goodConfig, "server:", "certificate-authority: ca.crt, server:", 1))},
		{name: "no directory to make", args: in("kubeconfig", "merge", "new.conf", "--into", "file/config"), says: "cannot make directory", hint: "--into",
			prepare: both(good, written("file", ""))},
		{name: "target is a directory", args: mergeOf(), says: `"config" is a directory`, hint: "file in it", prepare: both(good, directory("config"))},
		{name: "target is something else", args: mergeOf(), says: `"config" is not a kubeconfig`, hint: "kind: Config", prepare: both(good, written("config", "kind: Pod\napiVersion: v1\n"))},
		{name: "target is not YAML", args: mergeOf(), says: `"config" is not YAML`, hint: "line", prepare: both(good, written("config", "a: [\n"))},
		{name: "target in several documents", args: mergeOf(), says: "several YAML documents", hint: "of each", prepare: both(good, written("config", goodConfig+"---\na: b\n"))},
		{name: "target has two", args: mergeOf(), says: "two clusters", hint: "rename", prepare: both(good, written("config", "clusters: [{name: c}, {name: c}]\n"))},
		{name: "write-protected target", args: mergeOf(), says: "write-protected", hint: "chmod u+w", prepare: both(good, written("config", ""), func(t *testing.T, dir string) {
			ok(t, os.Chmod(filepath.Join(dir, "config"), 0o400))
		})},
		{name: "write-protected target, dry run", args: mergeOf("--dry-run"), says: "write-protected", hint: "chmod u+w", prepare: both(good, written("config", ""), func(t *testing.T, dir string) {
			ok(t, os.Chmod(filepath.Join(dir, "config"), 0o400))
		})},
		{name: "a directory for a lock", args: mergeOf(), says: "is not a file", hint: "remove it", prepare: both(good, directory("config.lock"))},
	} {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			f.check(t, max(1, f.code))
		})
	}
}
