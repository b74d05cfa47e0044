package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pkictl/pkictl/apiserver"
	"github.com/pkictl/pkictl/cluster"
	"github.com/pkictl/pkictl/internal/store"
)

// testCutShort finds a change that was cut short while kube-apiserver is healthy: by
// the old manifest, or by the changed one. No kubelet reads that directory.
func (n *changingNode) testCutShort(t *testing.T) {
	for _, tt := range []struct {
		name     string
		isProven bool
	}{{"the process is the old one", false}, {"the process was started since", true}} {
		t.Run(tt.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "manifests")
			manifest, changed := filepath.Join(dir, "kube-apiserver.yaml"), n.with(in("--event-ttl=2h"))
			cutShort := func() {
				t.Helper()
				for _, path := range in(dir, dir+"-changing") {
					ok(t, os.MkdirAll(path, 0o700))
				}
				ok(t, os.WriteFile(manifest, changed, 0o600))
				ok(t, os.WriteFile(filepath.Join(dir+"-changing", "kube-apiserver.yaml"), n.good, 0o600))
				if tt.isProven {
					ago := time.Now().Add(-time.Hour)
					ok(t, os.Chtimes(manifest, ago, ago))
					ok(t, os.Chtimes(dir+"-changing", ago, ago))
				}
			}
			isNow := func(want []byte) {
				t.Helper()
				data, err := os.ReadFile(manifest)
				ok(t, err)
				if string(data) != string(want) || exists(dir+"-changing") {
					t.Errorf("the manifest is\n%s", data)
				}
			}
			cutShort()
			o := n.waitOptions()
			o.Manifest, o.Timeout = manifest, time.Second
			result, err := n.change(t.Context(), o, n.with(in("--v=1")))
			if err == nil || result.State != apiserver.WaitNotTaken || !result.WasHealthy {
				t.Errorf("%+v, %v", result, err)
			}
			if tt.isProven {
				isNow(changed)
			} else {
				isNow(n.good)
			}

			// The same change again is waited for.
			cutShort()
			got := runProgram(t, program(n.userDir.dir, "apiserver", "patch", "--manifest", manifest, "--set=event-ttl=2h", "--yes", "--wait", "--timeout=1s", "--pod-logs", n.k.logs))
			if tt.isProven {
				if got.code != 0 || got.stdout != "nothing to change\nkube-apiserver is healthy: it was started anew, as its metrics say\n" {
					t.Errorf("again: %+v", got)
				}
				isNow(changed)
				return
			}
			if got.code != 1 || !strings.Contains(got.stderr, "the old manifest is back") {
				t.Errorf("again: %+v", got)
			}
			isNow(n.good)
		})
	}
}

// testSlowStart has etcd start when kube-apiserver already waits for it.
func (n *changingNode) testSlowStart(t *testing.T) {
	const failed = "addrConn.createTransport failed"
	etcd, away := filepath.Join(n.manifests, "etcd.yaml"), filepath.Join(n.userDir.dir, "etcd.yaml")
	w, err := apiserver.Watch(t.Context(), n.waitOptions())
	ok(t, err)
	defer w.Close()
	ok(t, os.Rename(etcd, away))
	n.k.started()
	ok(t, store.ReplaceFile(store.File{Path: n.manifest, Data: n.with(in("--event-ttl=3h")), Keep: true}))
	isBack := make(chan error)
	go func() {
		isStarted, before := false, 0
		for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
			log := strings.Count(n.k.logOf(cluster.ComponentAPIServer), failed)
			if !isStarted {
				isStarted, before = strings.Contains(n.k.started(), cluster.ComponentAPIServer), log
			} else if log > before {
				break
			}
		}
		isBack <- os.Rename(away, etcd)
	}()
	result, err := w.Await(t.Context())
	ok(t, <-isBack)
	if err != nil || result.State != apiserver.WaitHealthy {
		t.Errorf("%+v, %v", result, err)
	}
	n.awaitReady()
}
