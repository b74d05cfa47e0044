package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

func generateOf(more ...string) []string { return append(in("audit", "generate"), more...) }

// generateFaults are wishes for policies that fail, by exit code.
var generateFaults = map[int][]fault{
	1: {
		{name: "policy is there", args: generateOf("--out", "p.yaml"), says: `"p.yaml" exists`, hint: "--force", prepare: written("p.yaml", "notes")},
		{name: "policy is there, of a dry run", args: generateOf("--out", "p.yaml", "--dry-run"), says: `"p.yaml" exists`, hint: "--force", prepare: written("p.yaml", "notes")},
		{name: "place of the policy is a directory", args: generateOf("--out", "pki", "--force"), says: `"pki" is not a file`, hint: "--out"},
		{name: "place of the policy is a link", args: generateOf("--out", "l", "--force"), says: `"l" is a symbolic link`, hint: "--out", prepare: linked("pki/old.crt", "l")},
		{name: "no directory for the policy", args: generateOf("--out", "none/p.yaml"), says: `cannot write "none/p.yaml"`, hint: "make the directory first"},
		{name: "no directory for the policy, of a dry run", args: generateOf("--out", "none/p.yaml", "--dry-run"), says: `cannot write "none/p.yaml"`, hint: "make the directory first"},
	},
	2: {
		{name: "argument for a policy", args: generateOf("cis"), says: `"cis"`, hint: "audit generate --help"},
		{name: "empty rule", args: generateOf("--log", ""), says: "--log is empty", hint: "leave the flag out"},
		{name: "flag for a rule", args: generateOf("--log", "--ignore"), says: `--log "--ignore": it has no level`, hint: "at LEVEL"},
		{name: "rule with an escape sequence", args: generateOf("--log", "pods by a\x1b[31m at Request"), says: `a\x1b[31m`, hint: "on one line"},
		{name: "rule with reversed text", args: generateOf("--ignore", "pods by a\u202eb"), says: "cannot be printed", hint: "on one line"},
		{name: "rule that is not UTF-8", args: generateOf("--ignore", "pods by a\xff"), says: "cannot be printed", hint: "on one line"},
		{name: "rule of two lines", args: generateOf("--log", "pods at Metadata\n- level: Request"), says: "cannot be printed", hint: "on one line"},
		{name: "policy in an unknown form", args: generateOf("-o", "xml"), says: `"xml"`, hint: "configmap"},
		{name: "ConfigMap of no name", args: generateOf("-o", "configmap", "--name", "a_b"), says: `"a_b" is no name`, hint: "lower case"},
		{name: "name without a ConfigMap", args: generateOf("--namespace", "x"), says: "--namespace is for a ConfigMap", hint: "-o configmap"},
		{name: "dry run of nothing", args: generateOf("--dry-run"), says: "nothing is written", hint: "--out"},
		{name: "policy among the store's own files", args: generateOf("--out", "pki/inventory.db", "--force"), says: "pkictl keeps its own files", hint: "another name"},
	},
	4: {
		{name: "bodies of Secrets", args: generateOf("--log", "secrets at Request", "--out", "p.yaml"), says: "never logged", hint: "at Metadata"},
		{name: "bodies of everything", args: generateOf("--rule", "level=RequestResponse"), says: "bodies of everything are not logged", hint: "say any"},
	},
}

// TestAuditGenerateFaults: every fault gives one error and one hint, and changes
// nothing.
func TestAuditGenerateFaults(t *testing.T) {
	t.Parallel()
	for code, faults := range generateFaults {
		for _, f := range faults {
			t.Run(f.name, func(t *testing.T) {
				t.Parallel()
				dir := newSite(t)
				if f.prepare != nil {
					f.prepare(t, dir)
				}
				before := snapshot(t, dir)
				checkRefusal(t, "run", runProgram(t, program(dir, f.args...)), code, f.says, f.hint)
				checkRefusal(t, "--quiet", runProgram(t, program(dir, append(in(f.args...), "--quiet")...)), code, f.says, f.hint)
				checkUnchanged(t, "run", dir, before)
			})
		}
	}
}

// TestAuditGenerateFullDisk: with too little of the disk left the old policy
// stays, byte for byte, and nothing beside it.
func TestAuditGenerateFullDisk(t *testing.T) {
	t.Parallel()
	root := mountSmall(t, "size=256k,nr_inodes=50,mode=700")
	failed, succeeded := 0, 0
	for n := range 5 {
		for _, old := range []string{"", "old: policy\n"} {
			dir := filepath.Join(root, "site")
			ok(t, os.Mkdir(dir, 0o700))
			args := generateOf("--out", "p.yaml")
			if old != "" {
				written("p.yaml", old)(t, dir)
				args = append(args, "--force")
			}
			before := snapshot(t, dir)
			takeSpace(t, root, n*4096)
			got := runProgram(t, program(dir, args...))
			if what := fmt.Sprintf("%d left", n*4096); got.code == 0 {
				succeeded++
			} else {
				failed++
				checkRefusal(t, what, got, 1, `write "p.yaml"`, "free some space")
				checkUnchanged(t, what, dir, before)
			}
			ok(t, os.Remove(filepath.Join(root, "filler")))
			ok(t, os.RemoveAll(dir))
		}
	}
	if failed < 3 || succeeded < 3 {
		t.Errorf("%d times it failed, %d times it succeeded: the steps miss the point", failed, succeeded)
	}
}
