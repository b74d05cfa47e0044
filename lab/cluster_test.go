package lab_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/lab"
)

const clusterLab = `apiVersion: pkictl.dev/v1
kind: Lab
number: 7
title: A test
domain: cluster-setup
minutes: 5
needs: [cluster]
cluster:
  objects: objects.yaml
  issue:
  - {file: kube/jane.conf, user: jane, groups: [dev, ops], ends: 8h, namespace: shop, contextName: c, clusterName: k, userName: u}
  - {file: old.conf, user: old, groups: ["system:masters"], ends: -24h}
  - {file: distrusts.conf, user: mary, groups: ["system:masters"], ca: other}
  - {file: stranger.conf, user: mary, groups: ["system:masters"], signer: other}
  - {file: nowhere.conf, user: mary, groups: ["system:masters"], server: "https://127.0.0.1:1"}
scenario: Something is to be done.
tasks: [Do it.]
hints: [First., Second., Third.]
checks:
- {id: one, name: a.key is there, kind: key, points: 3, task: 1, with: {file: a.key}}
`

const clusterObjects = `apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: List
items:
- apiVersion: rbac.authorization.k8s.io/v1
  kind: RoleBinding
  metadata: {name: dev, namespace: shop}
  roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}
  subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: dev}]
- apiVersion: v1
  kind: ServiceAccount
  metadata: {name: default, namespace: shop}
  automountServiceAccountToken: false
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop}
spec: {containers: [{name: web, image: nginx:1.29}]}
---
apiVersion: v1
kind: Service
metadata: {name: hook}
spec: {type: ExternalName, externalName: 127.0.0.1, ports: [{port: $(FREE_PORT)}]}
`

func clusterFiles(objects string) fstest.MapFS {
	return fstest.MapFS{
		"lab.yaml": {Data: []byte(clusterLab)}, "cluster/objects.yaml": {Data: []byte(objects)}, "start/kube/note": {Data: []byte("given")},
	}
}

// readClusterLab reads a lab with a cluster.
func readClusterLab(t *testing.T, objects string) *lab.Lab {
	t.Helper()
	l, err := lab.Read(clusterFiles(objects), "test-cluster", "test-cluster")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// childStart starts the lab of these tests in a process of its own, and says how far
// it is.
func childStart(ctx context.Context, root, program string) error {
	tools, err := filepath.Abs("../tools/bin")
	if err != nil {
		return err
	}
	m := lab.FindMachine(program, tools, func(string) string { return "" })
	l, err := lab.Read(clusterFiles(clusterObjects), "test-cluster", "test-cluster")
	if err != nil {
		return err
	}
	_, err = lab.Start(ctx, lab.StartOptions{Lab: l, Root: root, Now: time.Now(), Machine: m, Progress: func(step string, _ bool) { fmt.Println(step) }})
	fmt.Println("started")
	return err
}

// TestClusterRefused: what a lab says of its cluster is checked when it is read.
func TestClusterRefused(t *testing.T) {
	t.Parallel()
	issued := func(fields string) string {
		a, b := strings.Index(clusterLab, "  issue:"), strings.Index(clusterLab, "scenario:")
		return clusterLab[:a] + "  issue:\n  - {" + fields + "}\n" + clusterLab[b:]
	}
	for _, test := range []struct{ name, yaml, file, want, hint string }{
		{"not needed", strings.Replace(clusterLab, "needs: [cluster]\n", "", 1), "", "does not need a cluster", "needs: [cluster]"},
		{"unknown field", strings.Replace(clusterLab, "  objects:", "  object:", 1), "", "line 9", "did you mean objects?"},
		{"objects elsewhere", strings.Replace(clusterLab, "objects.yaml", "../objects.yaml", 1), "", "line 9", "below cluster"},
		{"no objects", clusterLab, "cluster/objects.yaml", "line 9", ""},
		{"a credential without user", issued("file: a.conf"), "", `no field "user"`, ""},
		{"a credential in the cluster", issued("file: cluster/a.conf, user: a"), "", "line 11", "below the workspace"},
		{"the administrator's", issued("file: admin.conf, user: a"), "", "line 11", "below the workspace"},
		{"a credential elsewhere", issued("file: ../a.conf, user: a"), "", "line 11", "below the workspace"},
		{"a given file", issued("file: kube/note, user: a"), "", "two files kube/note", "another name"},
		{"no time", issued("file: a.conf, user: a, ends: tomorrow"), "", "line 11", "8h or -24h"},
		{"no URL", issued("file: a.conf, user: a, server: here"), "", "line 11", "https://"},
		{"another other", issued("file: a.conf, user: a, ca: mine"), "", "line 11", "write other"},
		{"an unknown certificate", strings.Replace(clusterLab, "  objects:", "  expiring: {apisever: 3d}\n  objects:", 1), "", "line 9", "did you mean apiserver?"},
		{"no length of time", strings.Replace(clusterLab, "  objects:", "  expiring: {apiserver: soon}\n  objects:", 1), "", "line 9", ""},
		{"a file of the cluster's", clusterLab, "start/cluster/pki/ca.crt", "cannot begin with", ""},
		{"a file of the administrator's", clusterLab, "start/admin.conf", "cannot begin with", ""},
		{"a manifest of the node's", strings.Replace(clusterLab, "  objects:", "  staticPods: true\n  objects:", 1), "start/node/etc/kubernetes/manifests/a.yaml", "cannot begin with", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			files := clusterFiles(clusterObjects)
			files["lab.yaml"] = &fstest.MapFile{Data: []byte(test.yaml)}
			if _, there := files[test.file]; there {
				delete(files, test.file)
			} else if test.file != "" {
				files[test.file] = &fstest.MapFile{Data: []byte("x")}
			}
			_, err := lab.Read(files, "test-cluster", "test-cluster")
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(failure.HintOf(err), test.hint) {
				t.Errorf("%v\nhint: %s", err, failure.HintOf(err))
			}
		})
	}
	for name, objects := range map[string]string{
		"empty": "", "no YAML": "a: b: c", "no object": "a: b\n", "no name": "apiVersion: v1\nkind: Pod\n", "a template": "{{ .Values.x }}\n",
	} {
		if _, err := lab.Read(clusterFiles(objects), "test-cluster", "test-cluster"); err == nil || !strings.Contains(err.Error(), "line 9") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
