package main_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

const patchPolicy = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: Metadata}]\n"

// writePatchNode makes a directory with a manifest, a policy and, so that there is
// something to replace, an older policy in its place.
func writePatchNode(t testing.TB, dir string) (args []string) {
	t.Helper()
	for _, sub := range in("manifests", "conf") {
		ok(t, os.Mkdir(filepath.Join(dir, sub), 0o700))
	}
	ok(t, os.WriteFile(filepath.Join(dir, "manifests/kube-apiserver.yaml"), []byte(patchManifest), 0o640))
	ok(t, os.Chmod(filepath.Join(dir, "manifests/kube-apiserver.yaml"), 0o640))
	ok(t, os.WriteFile(filepath.Join(dir, "policy.yaml"), []byte(patchPolicy), 0o600))
	ok(t, os.WriteFile(filepath.Join(dir, "conf/audit-policy.yaml"), []byte(patchPolicy+"# old\n"), 0o600))
	return in("apiserver", "patch", "--manifest", "manifests/kube-apiserver.yaml", "--config-dir", filepath.Join(dir, "conf"),
		"--audit-policy-from", "policy.yaml", "--audit-log-path", filepath.Join(dir, "log/audit.log"), "--yes", "-q")
}

// TestPatchFaults: whatever happens at whichever system call of a patch, the
// manifest is the old one or the new one, nothing but dot-files is beside it, and
// the next run completes.
func TestPatchFaults(t *testing.T) {
	t.Parallel()
	for fault, name := range faultNames {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			old, renewed := 0, 0
			for n := 1; ; n++ {
				dir := t.TempDir()
				patch := writePatchNode(t, dir)
				got, reached := breakAt(t, program(dir, patch...), n, fault)
				if !reached {
					break
				}
				if checkPatched(t, fmt.Sprintf("%s at %d", name, n), dir, fault, got) {
					renewed++
				} else {
					old++
				}
				do(t, dir, patch...)
				if !checkPatched(t, fmt.Sprintf("%s at %d, again", name, n), dir, killed, outcome{}) {
					t.Errorf("%s at %d: the next run did not complete", name, n)
				}
				ok(t, os.RemoveAll(dir))
			}
			t.Logf("%d old, %d new", old, renewed)
			if old < 10 || renewed < 2 {
				t.Errorf("%d old, %d new: the faults miss the point", old, renewed)
			}
		})
	}
}

// checkPatched checks a directory after a patch, and says whether the manifest is
// the new one.
func checkPatched(t *testing.T, what, dir string, fault syscall.Errno, got outcome) bool {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "manifests/kube-apiserver.yaml"))
	ok(t, err)
	isNew := strings.HasPrefix(string(data), patchManifest) && strings.HasSuffix(string(data), "DirectoryOrCreate\n    name: audit-log\n")
	if !isNew && string(data) != patchManifest {
		t.Errorf("%s: the manifest is neither old nor new:\n%s", what, data)
	}
	info, err := os.Stat(filepath.Join(dir, "manifests/kube-apiserver.yaml"))
	ok(t, err)
	if info.Mode().Perm() != 0o640 {
		t.Errorf("%s: mode %v", what, info.Mode())
	}
	entries, err := os.ReadDir(filepath.Join(dir, "manifests"))
	ok(t, err)
	for _, entry := range entries {
		if name := entry.Name(); name[0] != '.' && name != "kube-apiserver.yaml" {
			t.Errorf("%s: %s is beside the manifest", what, name)
		}
	}
	policy, err := os.ReadFile(filepath.Join(dir, "conf/audit-policy.yaml"))
	if err != nil || string(policy) != patchPolicy && string(policy) != patchPolicy+"# old\n" {
		t.Errorf("%s: the policy is, %v\n%s", what, err, policy)
	}
	if fault == killed {
		return isNew
	}
	if got.code != 0 {
		checkRefusal(t, what, got, 1, "", "")
		if !isNew && len(entries) != 1 {
			t.Errorf("%s: left are %v", what, entries)
		}
		if !isNew && fault&happened == 0 && string(policy) == patchPolicy {
			t.Errorf("%s: the policy is the new one, the manifest the old one", what)
		}
	} else if !isNew {
		t.Errorf("%s: exit code 0, and the manifest is the old one", what)
	}
	return isNew
}

// TestPatchFullDisk: without space all stays as it was.
func TestPatchFullDisk(t *testing.T) {
	t.Parallel()
	root := mountSmall(t, "size=1m,nr_inodes=200,mode=700")
	dir := filepath.Join(root, "site")
	failed, succeeded := 0, 0
	for _, s := range scarcities {
		for n := range 12 {
			ok(t, os.Mkdir(dir, 0o700))
			patch := writePatchNode(t, dir)
			before := snapshot(t, dir)
			s.take(t, root, n*s.step)
			got := runProgram(t, program(dir, patch...))
			what := fmt.Sprintf("%d %s left", n*s.step, s.name)
			if got.code == 0 {
				succeeded++
			} else {
				failed++
				checkRefusal(t, what, got, 1, "no space left", "free some space")
				checkUnchanged(t, what, dir, before)
			}
			s.give(t, root)
			ok(t, os.RemoveAll(dir))
		}
	}
	if failed < 4 || succeeded < 4 {
		t.Errorf("%d times it failed, %d times it succeeded: the steps miss the point", failed, succeeded)
	}
	ok(t, os.Mkdir(dir, 0o700))
	patch := writePatchNode(t, dir)
	before := snapshot(t, dir)
	ok(t, syscall.Mount("", root, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""))
	checkRefusal(t, "read-only", runProgram(t, program(dir, patch...)), 1, "read-only file system", "mounted for writing")
	checkUnchanged(t, "read-only", dir, before)
}

// TestPatchAsAnother: who may not read or write the manifest is told so.
func TestPatchAsAnother(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can be another")
	}
	dir := t.TempDir()
	patch := writePatchNode(t, dir)
	for _, path := range in(filepath.Dir(dir), dir, dir+"/manifests", dir+"/conf", dir+"/conf/audit-policy.yaml", dir+"/policy.yaml") {
		ok(t, os.Chmod(path, 0o755))
	}
	asNobody := func() outcome {
		cmd := program(dir, patch...)
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
		return runProgram(t, cmd)
	}
	checkRefusal(t, "unreadable", asNobody(), 1, "permission denied", "run it as root")
	ok(t, os.Chmod(dir+"/manifests/kube-apiserver.yaml", 0o644))
	before := snapshot(t, dir)
	checkRefusal(t, "unwritable", asNobody(), 1, "permission denied", "run it as root")
	checkUnchanged(t, "another user", dir, before)
}

// TestPatchTogether runs several at once, of which each changes something else:
// none loses what another has written.
func TestPatchTogether(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writePatchNode(t, dir)
	names := in("event-ttl=2h", "profiling=false", "max-requests-inflight=500", "goaway-chance=0.01")
	results := make(chan outcome)
	for _, set := range names {
		go func() {
			results <- runProgram(t, program(dir, "apiserver", "patch", "--manifest", "manifests/kube-apiserver.yaml", "--set", set, "--yes", "-q"))
		}()
	}
	written := 0
	for range names {
		switch got := <-results; got.code {
		case 0:
			written++
		default:
			checkRefusal(t, "together", got, 4, "was changed in the meantime", "run the command again")
		}
	}
	data, err := os.ReadFile(filepath.Join(dir, "manifests/kube-apiserver.yaml"))
	ok(t, err)
	found := 0
	for _, set := range names {
		found += bytes.Count(data, []byte("- --"+set+"\n"))
	}
	if found != written || written == 0 {
		t.Errorf("%d have written, and there are %d of their flags in\n%s", written, found, data)
	}
}
