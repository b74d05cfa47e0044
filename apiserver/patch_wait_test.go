package apiserver

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/staticpod"
)

// TestKeepKey: who is told that a change was taken back is told of its key.
func TestKeepKey(t *testing.T) {
	t.Parallel()
	for _, secret := range []bool{true, false} {
		p := &Patch{Files: []PatchFile{{File: File{Path: "/c/enc.yaml", Secret: secret}}}}
		err := failure.Wrap(context.Canceled, failure.Failed, "see why", "it did not come back")
		p.keepKey(err)
		if got := failure.HintOf(err); strings.Contains(got, `keep "/c/enc.yaml"`) != secret || !strings.Contains(got, "see why") || !errors.Is(err, context.Canceled) {
			t.Errorf("%t: %s", secret, got)
		}
		p.keepKey(nil)
	}
}

// TestInterruptedChange: what is kept is from a change that was cut short, unless
// somebody still waits for it.
func TestInterruptedChange(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "manifests")
	manifest := filepath.Join(dir, "kube-apiserver.yaml")
	for path, text := range map[string]string{manifest: "new", keptPath(manifest): "old"} {
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	if got := InterruptedChange(manifest); got != keptPath(manifest) {
		t.Errorf("got %q", got)
	}
	unlock, err := staticpod.Lock(t.Context(), dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := InterruptedChange(manifest); got != "" {
		t.Errorf("while somebody waits: %q", got)
	}
	unlock()
	if got := InterruptedChange(manifest); got == "" {
		t.Error("nobody waits any more, and it is not told")
	}
}

// TestWaitHoldsTheLock: nobody else changes the manifest while one waits, whose old
// manifest would take that change back.
func TestWaitHoldsTheLock(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "manifests")
	manifest := filepath.Join(dir, "kube-apiserver.yaml")
	if err := errors.Join(os.Mkdir(dir, 0o700), os.WriteFile(manifest, []byte(lockedManifest), 0o600)); err != nil {
		t.Fatal(err)
	}
	p, err := NewPatch(PatchOptions{Manifest: manifest, Options: Options{Set: []string{"event-ttl=2h"}}, Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	asked := false
	_, result, err := p.WriteAndWait(ctx, nil, WaitOptions{LogDir: t.TempDir(), Progress: func(step string) {
		if strings.HasPrefix(step, "waiting until kube-apiserver is healthy with the changed") {
			asked = staticpod.IsLocked(dir)
			cancel()
		}
	}})
	if !asked || result == nil || result.State != WaitInterrupted || !errors.Is(err, context.Canceled) {
		t.Errorf("locked: %t, %+v, %v", asked, result, err)
	}
}

const lockedManifest = `apiVersion: v1
kind: Pod
metadata: {name: kube-apiserver}
spec:
  containers:
  - name: kube-apiserver
    image: example.com/kube-apiserver:v1.36.3
    command:
    - kube-apiserver
    - --bind-address=127.0.0.1
    - --secure-port=1
`
