package main_test

import (
	"os"
	"path/filepath"
	"testing"
)

func clusterCheckOf(more ...string) []string { return append(in("cluster", "check"), more...) }

// clusterCheckFaults are checks that cannot be made, by exit code.
var clusterCheckFaults = map[int][]fault{
	1: {
		{name: "no cluster directory", args: clusterCheckOf(), says: `there is no cluster directory "kubernetes"`, hint: "pkictl cluster init", prepare: func(t *testing.T, dir string) {
			t.Helper()
			ok(t, os.RemoveAll(filepath.Join(dir, "kubernetes")))
		}},
		{name: "directory that is a file", args: clusterCheckOf("kubernetes/admin.conf"), says: `"kubernetes/admin.conf" is not a directory`, hint: "/etc/kubernetes"},
		{name: "directory without a PKI", args: clusterCheckOf("."), says: `no control plane's PKI in "."`, hint: "pkictl cluster init", prepare: remove("kubernetes/pki/../../kubernetes/cluster.yaml")},
		{name: "PKI of a CA alone", args: clusterCheckOf("pki"), says: `no control plane's PKI in "."`, hint: "pkictl cluster init"},
		{name: "kubeconfig that is not there", args: clusterCheckOf("--kubeconfig", "none"), says: `cannot read "none"`, hint: "check the name"},
		{name: "kubeconfig of noise", args: clusterCheckOf("--kubeconfig", "noise"), says: `"noise"`, hint: "", prepare: written("noise", "\x00\x1b[31m")},
		{name: "metrics over something else", args: clusterCheckOf("--prometheus", "x.prom"), says: "was not written by pkictl", hint: "another file", prepare: written("x.prom", "mine")},
		{name: "metrics nowhere", args: clusterCheckOf("--prometheus", "none/x.prom"), says: `none`, hint: "make the directory first"},
	},
	2: {
		{name: "two directories", args: clusterCheckOf("a", "b"), says: "wrong usage", hint: "cluster check --help"},
		{name: "directory given twice", args: clusterCheckOf("a", "--dir", "b"), says: "given twice", hint: "leave one"},
		{name: "within no time", args: clusterCheckOf("--within", "soon"), says: `"soon"`, hint: "90d"},
		{name: "no time to wait", args: clusterCheckOf("--live", "--request-timeout", "0s"), says: "not a time to wait", hint: "30s"},
		{name: "address without --live", args: clusterCheckOf("--server", "127.0.0.1:6443"), says: "nobody is asked", hint: "--live"},
		{name: "address that is a URL", args: clusterCheckOf("--live", "--server", "https://127.0.0.1:6443"), says: "not HOST:PORT", hint: "127.0.0.1:6443"},
		{name: "address with an escape sequence", args: clusterCheckOf("--live", "--etcd", "a\x1b[31m:1:2"), says: "not HOST:PORT", hint: "127.0.0.1:6443"},
		{name: "node that is not there", args: clusterCheckOf("--node", "other"), says: `no node "other"`, hint: "there are: cp-1"},
		{name: "owner that is not there", args: clusterCheckOf("--owner", "nobody-here"), says: `no owner "nobody-here"`, hint: "root:root"},
		{name: "metrics of another name", args: clusterCheckOf("--prometheus", "x.txt"), says: "does not end in .prom", hint: ".prom"},
		{name: "settings that cannot be read", args: clusterCheckOf(), says: "cluster.yaml", hint: "apiVersion", prepare: written("kubernetes/cluster.yaml", "noise")},
	},
}

// TestClusterCheckFaults: every fault gives one error and one hint, and changes
// nothing.
func TestClusterCheckFaults(t *testing.T) {
	t.Parallel()
	for code, faults := range clusterCheckFaults {
		for _, f := range faults {
			t.Run(f.name, func(t *testing.T) {
				t.Parallel()
				dir := newSite(t)
				do(t, dir, "cluster", "init", "--node", "cp-1", "--advertise-address", "10.0.0.11", "--quiet")
				if f.prepare != nil {
					f.prepare(t, dir)
				}
				before := snapshot(t, dir)
				got := runProgram(t, program(dir, f.args...))
				got.stdout = "" // what was found before
				checkRefusal(t, "run", got, code, f.says, f.hint)
				checkUnchanged(t, "run", dir, before)
			})
		}
	}
}
