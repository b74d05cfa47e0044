package main_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/pkictl/pkictl/kubeconfig"
)

// kubectlLocked does to a kubeconfig what kubectl does under its lock: the parts
// of ModifyConfig (k8s.io/client-go/tools/clientcmd/config.go), but without what
// goes before. It tries until it gets the lock.
func kubectlLocked(t testing.TB, path string, change func(*api.Config)) {
	t.Helper()
	for {
		f, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_EXCL, 0)
		if errors.Is(err, fs.ErrExist) {
			time.Sleep(time.Millisecond)
			continue
		}
		ok(t, err)
		ok(t, f.Close())
		break
	}
	config, err := clientcmd.LoadFromFile(path)
	if err != nil {
		t.Error(err)
	} else {
		change(config)
		ok(t, clientcmd.WriteToFile(*config, path))
	}
	ok(t, os.Remove(path+".lock"))
}

// TestManyMergeAtOnce: 32 processes merge 100 times each into one kubeconfig, and
// no entry is lost, nor one of those that another writes under kubectl's lock.
func TestManyMergeAtOnce(t *testing.T) {
	t.Parallel()
	const processes, each = 32, 100
	dir := t.TempDir()
	target := filepath.Join(dir, ".kube", "config")
	ok(t, os.Mkdir(filepath.Dir(target), 0o700))
	ok(t, os.WriteFile(target, nil, 0o600))
	others, done := 0, make(chan struct{})
	var beside sync.WaitGroup
	beside.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
				kubectlLocked(t, target, func(c *api.Config) {
					c.Contexts[fmt.Sprintf("kubectl-%d", others)] = &api.Context{Cluster: "c"}
				})
				others++
			}
			time.Sleep(200 * time.Millisecond) // it reads and writes all, as slowly as kubectl
		}
	})
	begun := time.Now()
	inParallel(processes, func(i int) {
		for n := range each {
			name := fmt.Sprintf("p%d-n%d", i, n)
			path := filepath.Join(dir, name)
			text := "clusters: [{name: c, cluster: {server: 'https://c'}}]\nusers: [{name: u, user: {token: t}}]\ncontexts: [{name: " + name + ", context: {cluster: c, user: u}}]\n"
			ok(t, os.WriteFile(path, []byte(text), 0o600))
			if got := runProgram(t, program(dir, "kubeconfig", "merge", path, "-q")); got.code != 0 || strings.Contains(got.stderr, "crash") {
				t.Errorf("%s: exit code %d\n%s", name, got.code, got.stderr)
			}
		}
	})
	close(done)
	beside.Wait()
	t.Logf("%d merges, and %d changes under kubectl's lock, in %v", processes*each, others, time.Since(begun).Round(time.Millisecond))
	config, err := kubeconfig.Load(target)
	ok(t, err)
	for i := range processes {
		for n := range each {
			if name := fmt.Sprintf("p%d-n%d", i, n); config.Contexts[name] == nil {
				t.Errorf("%s is lost", name)
			}
		}
	}
	if len(config.Contexts) != processes*each+others || len(config.AuthInfos) != 1 || len(config.Clusters) != 1 || others < 20 {
		t.Errorf("%d contexts, %d users, %d clusters; %d of others", len(config.Contexts), len(config.AuthInfos), len(config.Clusters), others)
	}
	if left, err := os.ReadDir(filepath.Dir(target)); err != nil || len(left) != 1 {
		t.Errorf("left: %v (%v)", left, err)
	}
}

// TestMergeBesideKubectl: no context that kubectl sets is lost to merges beside
// it. (kubectl itself loses what others add between its reading and its lock: it
// takes that for something to delete. So its contexts are what is looked at.)
func TestMergeBesideKubectl(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	target := filepath.Join(dir, "config")
	var merging sync.WaitGroup
	done := make(chan struct{})
	for i := range 2 {
		merging.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-done:
					return
				default:
				}
				name := fmt.Sprintf("p%d-n%d", i, n)
				writeContext(t, filepath.Join(dir, name), name)
				if got := runProgram(t, program(dir, "kubeconfig", "merge", name, "--into", target, "-q")); got.code != 0 {
					t.Errorf("exit code %d\n%s", got.code, got.stderr)
					return
				}
			}
		})
	}
	const contexts = 20
	locked := 0
	kubectl, err := filepath.Abs("../../tools/bin/kubectl")
	ok(t, err)
	for n := 0; n < contexts; {
		cmd := exec.Command(kubectl, "config", "set-context", fmt.Sprintf("kubectl-%d", n), "--kubeconfig", target)
		cmd.Env = []string{"HOME=" + dir}
		switch out, err := cmd.CombinedOutput(); {
		case err == nil:
			n++
		case bytes.Contains(out, []byte("config.lock: file exists")):
			locked++
		default:
			t.Fatalf("%v\n%s", err, out)
		}
	}
	close(done)
	merging.Wait()
	t.Logf("kubectl found the lock %d times", locked)
	config, err := kubeconfig.Load(target)
	ok(t, err)
	for n := range contexts {
		if config.Contexts[fmt.Sprintf("kubectl-%d", n)] == nil {
			t.Errorf("context %d is lost", n)
		}
	}
}

// TestMergeLeftLock: a lock of kubectl that a crash left is waited for, and taken
// over with a warning once it is old; one that is in use is waited for.
func TestMergeLeftLock(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	lock := filepath.Join(dir, "config.lock")
	writeContext(t, filepath.Join(dir, "a"), "a")
	makeLock := func() {
		f, err := os.OpenFile(lock, os.O_CREATE|os.O_EXCL, 0)
		ok(t, err)
		ok(t, f.Close())
	}
	makeLock()
	hourAgo := time.Now().Add(-time.Hour)
	ok(t, os.Chtimes(lock, hourAgo, hourAgo))
	got := runProgram(t, program(dir, "kubeconfig", "merge", "a", "--into", "config"))
	if got.code != 0 || !strings.Contains(got.stderr, "config.lock was left by a program that crashed") {
		t.Errorf("exit code %d\n%s", got.code, got.stderr)
	}
	if _, err := os.Lstat(lock); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the lock is still there: %v", err)
	}

	// One that is in use: it ends while we wait.
	makeLock()
	before, err := os.ReadFile(filepath.Join(dir, "config"))
	ok(t, err)
	writeContext(t, filepath.Join(dir, "b"), "b")
	cmd := program(dir, "kubeconfig", "merge", "b", "--into", "config")
	pipe, err := cmd.StderrPipe()
	ok(t, err)
	ok(t, cmd.Start())
	line := make([]byte, 200)
	n, err := pipe.Read(line) // it says that it waits
	ok(t, err)
	if text := string(line[:n]); !strings.Contains(text, "waiting for another program that has locked") {
		t.Errorf("it says %q", text)
	}
	if is, _ := os.ReadFile(filepath.Join(dir, "config")); !bytes.Equal(is, before) {
		t.Errorf("changed under another's lock:\n%s", is)
	}
	ok(t, os.Remove(lock))
	ok(t, cmd.Wait())
	if config, err := kubeconfig.Load(filepath.Join(dir, "config")); err != nil || config.Contexts["b"] == nil {
		t.Errorf("%v %+v", err, config)
	}

	// Ctrl-C while it waits: nothing is changed, and the other's lock stays.
	makeLock()
	snap := snapshot(t, dir)
	cmd = program(dir, "kubeconfig", "merge", "b", "--into", "config", "--rename", "c")
	pipe, err = cmd.StderrPipe()
	ok(t, err)
	ok(t, cmd.Start())
	_, err = pipe.Read(line)
	ok(t, err)
	ok(t, cmd.Process.Signal(os.Interrupt))
	n, err = pipe.Read(line)
	ok(t, err)
	_ = cmd.Wait() // the exit code tells
	if text := string(line[:n]); cmd.ProcessState.ExitCode() != 1 || !strings.Contains(text, "error: interrupted while waiting") {
		t.Errorf("%v: %s", cmd.ProcessState, text)
	}
	checkUnchanged(t, "interrupted", dir, snap)
}

// TestMergeLinks: a kubeconfig that is a link stays one, and what it leads to
// changes, in its own directory; so does a link to nothing.
func TestMergeLinks(t *testing.T) {
	t.Parallel()
	for _, exists := range []bool{true, false} {
		dir := t.TempDir()
		for _, sub := range []string{".kube", "real"} {
			ok(t, os.Mkdir(filepath.Join(dir, sub), 0o700))
		}
		ok(t, os.Symlink("../real/config", filepath.Join(dir, ".kube/config")))
		ok(t, os.Symlink(".kube", filepath.Join(dir, "kube")))
		if exists {
			ok(t, os.WriteFile(filepath.Join(dir, "real/config"), nil, 0o400|0o200))
		}
		writeContext(t, filepath.Join(dir, "a"), "a")
		writeContext(t, filepath.Join(dir, "b"), "b")
		do(t, dir, "kubeconfig", "merge", "a")
		do(t, dir, "kubeconfig", "merge", "b", "--into", "kube/config")
		if target, err := os.Readlink(filepath.Join(dir, ".kube/config")); err != nil || target != "../real/config" {
			t.Errorf("the link is %q (%v)", target, err)
		}
		config, err := kubeconfig.Load(filepath.Join(dir, "real/config"))
		if err != nil || config.Contexts["a"] == nil || config.Contexts["b"] == nil {
			t.Errorf("%v %+v", err, config)
		}
		for sub, want := range map[string]int{".kube": 1, "real": 1} {
			if left, err := os.ReadDir(filepath.Join(dir, sub)); err != nil || len(left) != want {
				t.Errorf("%s: %v (%v)", sub, left, err)
			}
		}
	}
}
