package main_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/pkictl/pkictl/cluster"
)

// clusterPKI makes a cluster directory.
func clusterPKI(more ...string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		do(t, dir, append(in("cluster", "init", "-q", "--node", "cp-1", "--advertise-address", "10.0.0.10"), more...)...)
	}
}

// binaries writes shell scripts in place of the components into the directory bin.
func binaries(scripts map[string]string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		ok(t, os.MkdirAll(filepath.Join(dir, "bin"), 0o700))
		for name, script := range scripts {
			ok(t, os.WriteFile(filepath.Join(dir, "bin", name), []byte("#!/bin/sh\n"+script+"\n"), 0o700))
		}
	}
}

var noBinaries = map[string]string{"etcd": "exit 1", "kube-apiserver": "exit 1", "kube-controller-manager": "exit 1"}

func upOf(more ...string) []string { return append(in("cluster", "up", "--assets", "bin"), more...) }

// upFaults are runs that cannot begin.
var upFaults = []fault{
	{name: "no binaries", args: upOf(), prepare: clusterPKI(), says: `etcd and kube-apiserver not found in "bin"`, hint: `take them from a Kubernetes release or from setup-envtest, or let "make test" build them`},
	{name: "none on PATH", args: in("cluster", "up"), prepare: clusterPKI(), says: "not found in PATH", hint: "--assets"},
	{name: "no kube-controller-manager", args: upOf(), says: `kube-controller-manager not found in`, hint: "setup-envtest has none: with its binaries add --without-controller-manager",
		prepare: both(clusterPKI(), binaries(map[string]string{"etcd": "", "kube-apiserver": ""}))},
	{name: "no cluster directory", args: upOf("--dir", "none"), prepare: binaries(noBinaries), says: "there is no PKI in", hint: "make one with: pkictl cluster init --dir none;"},
	{name: "PKI not complete", args: upOf(), prepare: both(clusterPKI(), binaries(noBinaries), remove("kubernetes/pki/apiserver-etcd-client.key")),
		says: `apiserver-etcd-client.key" is missing`, hint: "make what is missing with: pkictl cluster init"},
	{name: "in another directory", args: upOf("--dir", "other"), prepare: both(clusterPKI("--dir", "other"), binaries(noBinaries), remove("other/pki/sa.key")),
		says: `sa.key" is missing`, hint: "pkictl cluster init --dir other"},
	{name: "key of another", args: upOf("--foreground"), prepare: both(clusterPKI(), binaries(noBinaries), copied("kubernetes/pki/sa.key", "kubernetes/pki/etcd/server.key")),
		says: `etcd/server.key" does not belong to certificate`, hint: "pkictl cluster check"},
	{name: "form of --set", args: upOf("--set", "kube-apiserver.v"), code: 2, says: `--set: "kube-apiserver.v" does not have the form`, hint: "kube-apiserver.v=4"},
	{name: "component of --set", args: upOf("--set", "kube-apisever.v=4"), code: 2, says: `no component "kube-apisever"`, hint: "did you mean kube-apiserver?"},
	{name: "flag of --set that has its own", args: upOf("--set", "kube-apiserver.secure-port=1"), code: 2, says: "secure-port of kube-apiserver cannot be set", hint: "use --port"},
	{name: "no port", args: upOf("--port", "http"), code: 2, says: `--port: "http" is not a port`, hint: "1 to 65535, or auto"},
	{name: "port twice", args: upOf("--etcd-port", "6443"), code: 2, says: "port 6443 is meant for both etcd and kube-apiserver", hint: "its own", prepare: both(clusterPKI(), binaries(noBinaries))},
	{name: "down of nothing", args: in("cluster", "down", "--dir", "none"), says: `no cluster directory "none"`, hint: "--dir"},
	{name: "down of another directory", args: in("cluster", "down", "--delete-data", "--yes", "--dir", "other"), says: `no cluster directory "other"`, hint: "--dir",
		prepare: func(t *testing.T, dir string) { ok(t, os.Mkdir(filepath.Join(dir, "other"), 0o700)) }},
	{name: "down of several nodes", args: in("cluster", "down"), says: `"kubernetes" holds the cluster directories of 2 nodes`, hint: "--dir kubernetes/cp-1",
		prepare: func(t *testing.T, dir string) {
			do(t, dir, in("cluster", "init", "-q", "--endpoint", "k8s:6443", "--node", "cp-1=10.0.0.10", "--node", "cp-2=10.0.0.11")...)
		}},
	{name: "status of nothing", args: in("cluster", "status", "--dir", "none"), says: `no cluster directory "none"`, hint: "--dir"},
	{name: "nobody to ask", args: in("cluster", "down", "--delete-data"), code: 4, says: "no terminal to ask on", hint: "--dry-run, then add --yes",
		prepare: func(t *testing.T, dir string) { ok(t, os.MkdirAll(filepath.Join(dir, "kubernetes/run/etcd"), 0o700)) }},
	{name: "status that is damaged", args: in("cluster", "status"), says: `state.json" is damaged`, hint: "remove the file",
		prepare: func(t *testing.T, dir string) {
			ok(t, os.MkdirAll(filepath.Join(dir, "kubernetes/run"), 0o700))
			written("kubernetes/run/state.json", "{")(t, dir)
		}},
}

func TestClusterUpFaults(t *testing.T) {
	t.Parallel()
	for _, f := range upFaults {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			f.check(t, max(1, f.code))
		})
	}
}

// TestClusterUpTakenPort: it is said before anything is started or written.
func TestClusterUpTakenPort(t *testing.T) {
	t.Parallel()
	r := newLocalRun(t).init("")
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	ok(t, err)
	defer l.Close()
	port := fmt.Sprint(l.Addr().(*net.TCPAddr).Port)
	before := snapshot(t, r.dir)
	got := r.up("--etcd-peer-port", port)
	checkRefusal(t, "up", got, 1, "port "+port+" on 127.0.0.1, meant for etcd, cannot be used: address already in use", "--port auto")
	checkUnchanged(t, "up", r.dir, before)
}

// TestClusterUpDyingComponent: the end of its log is shown, and nothing is left.
func TestClusterUpDyingComponent(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		scripts    map[string]string // of the directory bin
		prepare    func(t *testing.T, dir string)
		says, hint string
		log        string
	}{
		"one that is no program": {
			scripts: map[string]string{"etcd": "", "kube-apiserver": "exit 1", "kube-controller-manager": "exit 1"},
			prepare: written("bin/etcd", "\x7fELFnoise"), says: "starting etcd: ", hint: "hint: see whether it is whole, and for linux/" + runtime.GOARCH + ", with: file ",
		},
		"etcd": {
			scripts: map[string]string{"etcd": "echo this is why >&2; printf 'red \\033[31m\\n'; exit 3", "kube-apiserver": "exit 1", "kube-controller-manager": "exit 1"},
			says:    "etcd ended: exit status 3", hint: "see the whole log: ", log: "this is why\n  red \\x1b[31m\n",
		},
		"kube-apiserver, after etcd was ready": {
			scripts: map[string]string{"kube-apiserver": "echo unknown flag; exit 1", "kube-controller-manager": "exit 1"},
			says:    "kube-apiserver ended: exit status 1", hint: "the flags of --set may be the reason", log: "unknown flag\n",
		},
		"damaged data": {
			scripts: map[string]string{"kube-apiserver": "exit 1", "kube-controller-manager": "exit 1"},
			prepare: func(t *testing.T, dir string) {
				ok(t, os.MkdirAll(filepath.Join(dir, "kubernetes/run/etcd/member/snap"), 0o700))
				written("kubernetes/run/etcd/member/snap/db", strings.Repeat("noise", 1000))(t, dir)
			},
			says: "etcd ended: exit status 2", hint: "begin anew with: pkictl cluster down --delete-data", log: "panic: failed to open database\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newLocalRun(t).init("")
			binaries(tt.scripts)(t, r.dir)
			if tt.scripts["etcd"] == "" {
				ok(t, os.Symlink(filepath.Join(r.assets, "etcd"), filepath.Join(r.dir, "bin", "etcd.real")))
				if tt.prepare == nil || name == "damaged data" {
					ok(t, os.Rename(filepath.Join(r.dir, "bin", "etcd.real"), filepath.Join(r.dir, "bin", "etcd")))
				}
			}
			if tt.prepare != nil {
				tt.prepare(t, r.dir)
			}
			got := runProgram(t, program(r.dir, upOf("--port", "auto", "--set", "kube-apiserver.v=1")...))
			if got.code != 1 || got.stdout != "" || !strings.Contains(got.stderr, "\nerror: "+tt.says) || !strings.Contains(got.stderr, tt.hint) || !strings.Contains(got.stderr, tt.log) {
				t.Errorf("exit code %d, %s\n%s", got.code, got.stdout, got.stderr)
			}
			r.checkNothingRuns()
			if s, code := r.waitFor(cluster.RunStopped); code != 3 {
				t.Errorf("exit code %d, %+v", code, s)
			}
		})
	}
}

// TestClusterDownNothing: there is nothing to end, and nothing changes.
func TestClusterDownNothing(t *testing.T) {
	t.Parallel()
	r := newLocalRun(t).init("")
	before := snapshot(t, r.dir)
	for range 2 {
		if out := r.pkictl("cluster down"); out != "Nothing runs of kubernetes\n" {
			t.Errorf("down: %q", out)
		}
	}
	got := runProgram(t, program(r.dir, "cluster", "status"))
	if got.code != 3 || got.stdout != "Nothing runs of kubernetes\nNext: pkictl cluster up\n" || got.stderr != "" {
		t.Errorf("%+v", got)
	}
	checkUnchanged(t, "down and status", r.dir, before)
}

// TestClusterUpTwiceAtOnce: one runs it, the other waits and says so.
func TestClusterUpTwiceAtOnce(t *testing.T) {
	t.Parallel()
	r := newLocalRun(t).init("")
	results := make(chan outcome, 2)
	for range 2 {
		go func() { results <- r.up() }()
	}
	var said string
	for range 2 {
		select {
		case got := <-results:
			if got.code != 0 {
				t.Errorf("exit code %d\n%s", got.code, got.stderr)
			}
			said += got.stdout
		case <-time.After(3 * time.Minute):
			t.Fatal("one waits for ever")
		}
	}
	if strings.Count(said, " already\n") != 1 {
		t.Errorf("not one of both was first:\n%s", said)
	}
}
