package main_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pkictl/pkictl/apiserver"
	"github.com/pkictl/pkictl/cluster"
	"github.com/pkictl/pkictl/internal/failure"
)

// freeRollbackNode is a rollbackNode in a directory of its own.
func freeRollbackNode(t *testing.T) rollbackNode {
	t.Helper()
	ports, err := cluster.FreePorts(1)
	ok(t, err)
	return newRollbackNode(t, t.TempDir(), ports[0])
}

// TestRollbackNotOurs: a manifest or a policy that somebody else has changed while
// pkictl waited stays as it is, and it is said where the old one lies.
func TestRollbackNotOurs(t *testing.T) {
	t.Parallel()
	for name, isInterrupted := range map[string]bool{"time is over": false, "interrupted": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := freeRollbackNode(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			w, err := apiserver.Watch(ctx, apiserver.WaitOptions{Manifest: n.manifest, Timeout: time.Millisecond, LogDir: n.dir, After: []byte(n.old + "# new\n")})
			ok(t, err)
			ok(t, os.Remove(n.manifest))
			ok(t, os.WriteFile(n.manifest, []byte(n.old+"# another\n"), 0o640))
			if isInterrupted {
				cancel()
			}
			result, err := w.Await(ctx)
			if err == nil || result.State != apiserver.WaitNotOurs || !strings.Contains(err.Error(), "somebody else has changed") || !strings.Contains(failure.HintOf(err), "manifests-changing/kube-apiserver.yaml") {
				t.Errorf("%+v, %v\n%s", result, err, failure.HintOf(err))
			}
			if got := n.read(t, "manifests/kube-apiserver.yaml"); got != n.old+"# another\n" {
				t.Errorf("the manifest is\n%s", got)
			}
		})
	}
}

// TestRollbackPolicyNotOurs edits the policy while pkictl waits.
func TestRollbackPolicyNotOurs(t *testing.T) {
	t.Parallel()
	n := freeRollbackNode(t)
	got := interruptWhen(t, program(n.dir, append(n.wait(), "--timeout=1h")...), func(string) bool {
		if n.read(t, "manifests/kube-apiserver.yaml") == n.old {
			return false
		}
		ok(t, os.WriteFile(filepath.Join(n.dir, "conf/audit-policy.yaml"), []byte(patchPolicy+"# edited\n"), 0o600))
		return true
	})
	checkFailed(t, "edited", got, "the old manifest is back")
	if !strings.Contains(got.stderr, `in the backups: somebody else has changed "`) || n.read(t, "manifests/kube-apiserver.yaml") != n.old || n.read(t, "conf/audit-policy.yaml") != patchPolicy+"# edited\n" {
		t.Errorf("%s\n%s", got.stderr, n.read(t, "conf/audit-policy.yaml"))
	}
}

// interruptWhen runs a command and interrupts it when something has happened, such
// as its having said something on standard error.
func interruptWhen(t *testing.T, cmd *exec.Cmd, happened func(stderr string) bool) outcome {
	t.Helper()
	out := outputFiles(t, cmd)
	defer out[0].Close()
	defer out[1].Close()
	ok(t, cmd.Start())
	for deadline := time.Now().Add(time.Minute); !happened(contents(t, out[1])); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Error("it did not happen")
			break
		}
	}
	ok(t, cmd.Process.Signal(os.Interrupt))
	_ = cmd.Wait() // the exit code says it
	return outcome{cmd.ProcessState.ExitCode(), contents(t, out[0]), contents(t, out[1])}
}

// TestRollbackLock: while one waits, others who change or restart static pods wait
// for it, and say so.
func TestRollbackLock(t *testing.T) {
	t.Parallel()
	n := freeRollbackNode(t)
	w, err := apiserver.Watch(t.Context(), apiserver.WaitOptions{Manifest: n.manifest, Timeout: time.Millisecond, LogDir: n.dir})
	ok(t, err)
	for _, args := range [][]string{
		in("apiserver", "patch", "--manifest", n.manifest, "--set=event-ttl=2h", "--yes"),
		in("apiserver", "patch", "--manifest", n.manifest, "--set=event-ttl=2h", "--yes", "--wait"),
	} {
		got := interruptWhen(t, program(n.dir, args...), func(stderr string) bool {
			return strings.Contains(stderr, "waiting for another pkictl that is changing "+n.manifest)
		})
		checkFailed(t, "locked", got, "cannot lock directory")
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, err = cluster.PutManifestsBack(ctx, filepath.Dir(n.manifest), func(string) { cancel() })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("a restart did not wait: %v", err)
	}
	w.Close()
	if got := n.read(t, "manifests/kube-apiserver.yaml"); got != n.old {
		t.Errorf("the manifest is\n%s", got)
	}
	do(t, n.dir, "apiserver", "patch", "--manifest", n.manifest, "--set=event-ttl=2h", "--yes", "-q")
}

// TestRollbackResult: with -o json the result is there although it is a failure.
func TestRollbackResult(t *testing.T) {
	t.Parallel()
	n := freeRollbackNode(t)
	got := runProgram(t, program(n.dir, append(n.patch, "-o", "json")...))
	var result struct {
		Kind    string
		Changed bool
		Wait    apiserver.WaitResult
	}
	if err := json.Unmarshal([]byte(got.stdout), &result); err != nil || got.code != 1 || result.Kind != "APIServerPatch" || result.Changed {
		t.Errorf("exit code %d, %v\n%s%s", got.code, err, got.stdout, got.stderr)
	}
	if w := result.Wait; w.State != apiserver.WaitRolledBack || w.WasHealthy || w.Cause == nil || w.Manifest != n.manifest {
		t.Errorf("%+v", w)
	}
	n.checkAllOld(t, "in JSON")
}

// TestRollbackKey: the key of an encryption that is taken back stays, for what was
// encrypted with it in the meantime, and is said to.
func TestRollbackKey(t *testing.T) {
	t.Parallel()
	n := freeRollbackNode(t)
	key := filepath.Join(n.dir, "conf/encryption-config.yaml")
	encrypt := in("apiserver", "patch", "--manifest", n.manifest, "--config-dir", filepath.Dir(key), "--encrypt=secrets", "--yes", "-q")
	got := runProgram(t, program(n.dir, append(encrypt, "--wait", "--timeout=1ms", "--pod-logs=pods")...))
	checkRefusal(t, "encrypted", got, 1, "the old manifest is back", `keep "`+key+`": what kube-apiserver has encrypted meanwhile can be read with its key alone`)
	info, err := os.Stat(key)
	ok(t, err)
	if info.Mode().Perm() != 0o600 || n.read(t, "manifests/kube-apiserver.yaml") != n.old {
		t.Errorf("mode %v\n%s", info.Mode(), n.read(t, "manifests/kube-apiserver.yaml"))
	}
	before := n.read(t, "conf/encryption-config.yaml")
	do(t, n.dir, encrypt...)
	if n.read(t, "conf/encryption-config.yaml") != before {
		t.Error("the key is another")
	}
}
