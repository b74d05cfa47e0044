//go:build unix

package cluster

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pkictl/pkictl/internal/failure"
)

// Another program may write the manifest while it is away: both stay.
func TestRestartWrittenAnewMeanwhile(t *testing.T) {
	t.Parallel()
	d := newRestartDir(t)
	old, err := os.ReadFile(d.manifest)
	if err != nil {
		t.Fatal(err)
	}
	o := d.options()
	o.FileCheck = time.Hour
	_, err = RestartStaticPods(d.whenAway(t, func() { testWrite(t, d.manifest, []byte("new")) }), o)
	if failure.KindOf(err) != failure.Refused || !strings.Contains(err.Error(), "was written anew") {
		t.Errorf("%v", err)
	}
	for path, want := range map[string]string{d.manifest: "new", filepath.Join(d.aside(), "kube-apiserver.yaml"): string(old)} {
		if got, err := os.ReadFile(path); err != nil || string(got) != want {
			t.Errorf("%q holds %q, %v", path, got, err)
		}
	}
}

// Of two at once, the second waits until the first is done.
func TestRestartTwoAtOnce(t *testing.T) {
	t.Parallel()
	d := newRestartDir(t)
	var said []string
	second := make(chan error, 1)
	ctx := d.whenAway(t, func() {
		waits := make(chan struct{})
		go func() {
			_, err := PutManifestsBack(t.Context(), filepath.Dir(d.manifest), func(step string) {
				said = append(said, step)
				close(waits)
			})
			second <- err
		}()
		<-waits
		paths, running, err := InterruptedRestarts(filepath.Dir(d.manifest))
		if len(paths) != 1 || !running || err != nil {
			t.Errorf("left are %q, %v, %v", paths, running, err)
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := RestartStaticPods(ended, d.options()); !errors.Is(err, context.Canceled) {
			t.Errorf("waiting with a context that has ended: %v", err)
		}
		if _, err := os.Stat(d.manifest); err == nil {
			t.Error("the second did not wait")
		}
	})
	before := d.tree(t)
	o := d.options()
	o.FileCheck = time.Hour
	result, err := RestartStaticPods(ctx, o)
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "its manifest is back in its place") || result.Components[0].State != RestartInterrupted {
		t.Errorf("%v, %+v", err, result)
	}
	if err := <-second; err != nil || len(said) != 1 || !strings.Contains(said[0], "waiting for another pkictl") {
		t.Errorf("%v, said %q", err, said)
	}
	if after := d.tree(t); after != before {
		t.Errorf("there were\n%sand are\n%s", before, after)
	}
}

// A context that ends before anything was moved leaves all as it is.
func TestRestartInterruptedBefore(t *testing.T) {
	t.Parallel()
	d := newRestartDir(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	result, err := RestartStaticPods(ctx, d.options())
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "it was not touched") || result.Components[0].State != RestartUntouched {
		t.Errorf("%v, %+v", err, result)
	}
}

// What a killed run left aside is put back first.
func TestRestartPutsBack(t *testing.T) {
	t.Parallel()
	d := newRestartDir(t)
	before := d.tree(t)
	if err := os.Mkdir(d.aside(), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(d.manifest, filepath.Join(d.aside(), "kube-apiserver.yaml")); err != nil {
		t.Fatal(err)
	}
	if paths, running, err := InterruptedRestarts(filepath.Dir(d.manifest)); len(paths) != 1 || running || err != nil {
		t.Errorf("left are %q, %v, %v", paths, running, err)
	}
	result, err := RestartStaticPods(t.Context(), d.options())
	if err == nil || strings.Join(result.PutBack, " ") != "kube-apiserver.yaml" || result.Components[0].State != RestartNotHealthy {
		t.Errorf("%v, %+v", err, result)
	}
	if after := d.tree(t); after != before {
		t.Errorf("there were\n%sand are\n%s", before, after)
	}
}

func TestRestartAsideOpenToOthers(t *testing.T) {
	t.Parallel()
	d := newRestartDir(t)
	if err := os.Mkdir(d.aside(), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(d.aside(), 0o770); err != nil {
		t.Fatal(err)
	}
	if _, err := RestartStaticPods(t.Context(), d.options()); failure.KindOf(err) != failure.Refused {
		t.Error(err)
	}
}

func TestInterruptedRestartsElsewhere(t *testing.T) {
	t.Parallel()
	if paths, _, err := InterruptedRestarts(filepath.Join(t.TempDir(), "manifests")); paths != nil || err != nil {
		t.Errorf("%q, %v", paths, err)
	}
}
