package lab_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/lab"
)

const nodeLab = `apiVersion: pkictl.dev/v1
kind: Lab
number: 7
title: A test
domain: cluster-setup
minutes: 5
needs: [cluster]
cluster: {staticPods: true, objects: objects.yaml}
scenario: Something is to be done.
tasks: [Do it.]
hints: [First., Second., Third.]
checks:
- {id: log, name: the API server logs, kind: auditLog, points: 3, task: 1, with: {file: node/var/log/kubernetes/audit/audit.log}}
`

const nodeObjects = `apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: Secret
metadata: {name: db, namespace: shop}
stringData: {password: secret}
`

const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
rules: [{level: Metadata}]
`

func readNodeLab(t *testing.T) *lab.Lab {
	t.Helper()
	l, err := lab.Read(fstest.MapFS{
		"lab.yaml": {Data: []byte(nodeLab)}, "cluster/objects.yaml": {Data: []byte(nodeObjects)},
		"start/node/etc/kubernetes/audit/policy.yaml": {Data: []byte(auditPolicy)},
	}, "test-node", "test-node")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// edit replaces text in the manifest of a node's API server.
func edit(t *testing.T, w *lab.Workspace, oldnew ...string) {
	t.Helper()
	path := filepath.Join(w.Dir, apiServerYAML)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	for i := 0; i < len(oldnew); i += 2 {
		if !strings.Contains(text, oldnew[i]) {
			t.Fatalf("no %q in %s", oldnew[i], apiServerYAML)
		}
		text = strings.Replace(text, oldnew[i], oldnew[i+1], 1)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

const apiServerYAML = "node/etc/kubernetes/manifests/kube-apiserver.yaml"

// wantFound grades the only check of a lab.
func wantFound(t *testing.T, w *lab.Workspace, passed bool, found string) {
	t.Helper()
	check := grade(t, w).Checks[0]
	if check.Passed != passed || !strings.Contains(check.Found, found) {
		t.Errorf("passed %v, wanted %q, found %q; want %v, %q", check.Passed, check.Wanted, check.Found, passed, found)
	}
}

// TestNode: static pods run as their manifests say, and see what these mount.
func TestNode(t *testing.T) {
	t.Parallel()
	root, l := t.TempDir(), readNodeLab(t)
	limitClusters(t, l)
	w := startCluster(t, l, root)
	stamp := w.Stamp()
	wantKubectl(t, w, "db", "get", "secrets", "-n", "shop")
	wantKubectl(t, w, "yes", "auth", "can-i", "*", "*")
	if w.Stamp() != stamp || w.Touched() {
		t.Error("what the node writes counts as the learner's")
	}
	wantFound(t, w, false, "no file node/var/log")

	edit(t, w, "    - --bind-address", "    - --audit-policy-file=/etc/kubernetes/audit/policy.yaml\n    - --audit-log-path=/var/log/kubernetes/audit/audit.log\n    - --bind-address")
	wantFound(t, w, false, "the API server does not answer") // it sees no policy
	edit(t, w, "    volumeMounts:\n", "    volumeMounts:\n    - {mountPath: /etc/kubernetes/audit/policy.yaml, name: audit, readOnly: true}\n",
		"  volumes:\n", "  volumes:\n  - {name: audit, hostPath: {path: /etc/kubernetes/audit/policy.yaml, type: File}}\n")
	wantFound(t, w, false, "no file node/var/log") // it logs in its own root
	edit(t, w, "    volumeMounts:\n", "    volumeMounts:\n    - {mountPath: /var/log/kubernetes/audit/, name: log, readOnly: true}\n",
		"  volumes:\n", "  volumes:\n  - {name: log, hostPath: {path: /var/log/kubernetes/audit/, type: DirectoryOrCreate}}\n")
	wantFound(t, w, false, "the API server does not answer") // read-only
	edit(t, w, "name: log, readOnly: true", "name: log")
	wantFound(t, w, true, "")
	wantFound(t, w, true, "")
	edit(t, w, "  volumes:", "\t volumes:")
	wantFound(t, w, false, "cannot be used")

	if err := w.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	wantNothingRuns(t, root)
	edit(t, w, "\t volumes:", "  volumes:")
	wantPortRefused(t, w, l, root)
	changed := appendTo(t, filepath.Join(w.Dir, "admin.conf"), "# mine\n")
	w = startCluster(t, l, root)
	if data, err := os.ReadFile(filepath.Join(w.Dir, "admin.conf")); err != nil || string(data) != changed {
		t.Errorf("the learner's kubeconfig was changed: %v", err)
	}
	wantKubectl(t, w, "db", "get", "secrets", "-n", "shop")
	if _, err := w.Reset(t.Context(), time.Now(), nil); err != nil {
		t.Fatal(err)
	}
	wantKubectl(t, w, "db", "get", "secrets", "-n", "shop")
	wantFound(t, w, false, "no file node/var/log")
	// Without its workspace it ends by itself.
	if err := os.RemoveAll(w.Dir); err != nil {
		t.Log(err) // what runs may be quicker to write
	}
	for deadline := time.Now().Add(time.Minute); len(running(t, root)) > 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("processes %v run", running(t, root))
		}
	}
}

func appendTo(t *testing.T, path, text string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, string(data)+text)
	return string(data) + text
}

// wantPortRefused has something else take the port of the API server, which the
// learner's kubeconfigs name.
func wantPortRefused(t *testing.T, w *lab.Workspace, l *lab.Lab, root string) {
	t.Helper()
	config, err := clientcmd.LoadFromFile(w.Kubeconfig())
	if err != nil {
		t.Fatal(err)
	}
	address := strings.TrimPrefix(config.Clusters[config.Contexts[config.CurrentContext].Cluster].Server, "https://")
	taken, err := net.Listen("tcp4", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	m, err := machine()
	if err != nil {
		t.Fatal(err)
	}
	_, err = lab.Start(t.Context(), lab.StartOptions{Lab: l, Root: root, Now: time.Now(), Machine: m})
	if !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(failure.HintOf(err), "reset the lab") || strings.Contains(failure.HintOf(err), "--port") {
		t.Errorf("%v, hint %q", err, failure.HintOf(err))
	}
	wantNothingRuns(t, root)
}

// TestNodeInterrupted: whoever ends the start of a node is told that, and nothing runs.
func TestNodeInterrupted(t *testing.T) {
	t.Parallel()
	m, err := machine()
	if err != nil {
		t.Fatal(err)
	}
	root, l := t.TempDir(), readNodeLab(t)
	limitClusters(t, l)
	for range 4 { // which of two ends is seen first is chance
		ctx, cancel := context.WithCancel(t.Context())
		_, err = lab.Start(ctx, lab.StartOptions{Lab: l, Root: root, Now: time.Now(), Machine: m, Progress: func(step string, _ bool) {
			if strings.Contains(step, "waiting for the API server") {
				cancel()
			}
		}})
		cancel()
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
		wantNothingRuns(t, root)
	}
}
