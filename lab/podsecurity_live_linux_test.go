package lab_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/pkictl/pkictl/internal/kubeclient"
	"github.com/pkictl/pkictl/lab"
)

const podLab = `apiVersion: pkictl.dev/v1
kind: Lab
number: 7
title: A test
domain: cluster-setup
minutes: 5
scenario: Something is to be done.
tasks: [Do it.]
hints: [First., Second., Third.]
checks:
- {id: open, name: a, kind: podSecurity, points: 1, task: 1, with: {file: a.yaml, kind: KIND, pod: {containers: {present: true}}}}
- {id: baseline, name: a, kind: podSecurity, points: 1, task: 1, with: {file: a.yaml, kind: KIND, level: baseline}}
- {id: restricted, name: a, kind: podSecurity, points: 1, task: 1, with: {file: a.yaml, kind: KIND, level: restricted}}
`

const podObjects = `apiVersion: v1
kind: Namespace
metadata: {name: open}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: default, namespace: open}
---
apiVersion: v1
kind: Namespace
metadata: {name: baseline, labels: {pod-security.kubernetes.io/enforce: baseline}}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: default, namespace: baseline}
---
apiVersion: v1
kind: Namespace
metadata: {name: restricted, labels: {pod-security.kubernetes.io/enforce: restricted}}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: default, namespace: restricted}
`

const livePod = `apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec:
  securityContext: {runAsNonRoot: true, runAsUser: 1000, seccompProfile: {type: RuntimeDefault}}
  initContainers:
  - name: init
    image: busybox:1.37
    securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
  containers:
  - name: web
    image: nginx:1.29
    ports: [{containerPort: 80}]
    securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
    volumeMounts: [{name: cache, mountPath: /var/cache/nginx}, {name: run, mountPath: /var/run}]
  volumes: [{name: cache, emptyDir: {}}, {name: run}]
`

// TestPodsLive holds the verdicts of kind podSecurity against those of a real API
// server with namespaces that enforce nothing, baseline and restricted.
func TestPodsLive(t *testing.T) {
	t.Parallel()
	l := readClusterLab(t, podObjects)
	limitClusters(t, l)
	w := startCluster(t, l, t.TempDir())
	client, err := kubeclient.Connect(kubeclient.Options{File: filepath.Join(w.Dir, "admin.conf")})
	if err != nil {
		t.Fatal(err)
	}
	const (
		container = "    image: nginx:1.29\n"
		sc        = "    ports: [{containerPort: 80}]\n    securityContext: {"
		initSC    = "    image: busybox:1.37\n    securityContext: {"
		pod       = "spec:\n  securityContext: {"
	)
	admitted := map[bool]int{}
	for i, test := range []struct{ from, to string }{
		{"", ""},
		{sc, sc + "runAsNonRoot: false, "}, {sc, sc + "runAsUser: 0, "}, {sc, sc + "runAsUser: 2000, "}, {sc, sc + "runAsUser: -1, "},
		{sc, sc + "privileged: true, "}, {sc + "allowPrivilegeEscalation: false", sc + "privileged: true"}, {sc + "allowPrivilegeEscalation: false, ", sc},
		{initSC + "allowPrivilegeEscalation: false, ", initSC}, {initSC, initSC + "runAsUser: 0, "}, {initSC, initSC + "privileged: false, "},
		{"runAsNonRoot: true, ", ""}, {"runAsUser: 1000", "runAsUser: 0"}, {"runAsUser: 1000, ", ""}, {"runAsNonRoot: true", `runAsNonRoot: "true"`},
		{"runAsUser: 1000", `runAsUser: "1000"`}, {"runAsNonRoot", "runAsNonroot"}, {pod, pod + "privileged: false, "}, {pod, pod + "allowPrivilegeEscalation: false, "},
		{pod, pod + "fsGroup: 2000, "}, {sc, sc + "fsGroup: 2000, "}, {pod, pod + "fsGroup: -2, "}, {pod, pod + "supplementalGroups: [0], "},
		{"seccompProfile: {type: RuntimeDefault}", ""}, {"RuntimeDefault", "Unconfined"}, {"RuntimeDefault", "runtimeDefault"}, {"type: RuntimeDefault", "type: Localhost"},
		{"type: RuntimeDefault", "type: Localhost, localhostProfile: a/b.json"}, {"type: RuntimeDefault", "type: Localhost, localhostProfile: /a.json"},
		{"type: RuntimeDefault", "type: RuntimeDefault, localhostProfile: a.json"}, {sc, sc + "seccompProfile: {type: Unconfined}, "},
		{pod, pod + "appArmorProfile: {type: RuntimeDefault}, "}, {pod, pod + "appArmorProfile: {type: Unconfined}, "}, {pod, pod + "appArmorProfile: {type: Localhost}, "},
		{sc, sc + "procMount: Unmasked, "}, {sc, sc + "procMount: Default, "}, {sc, sc + "readOnlyRootFilesystem: true, "},
		{"drop: [ALL]", "drop: [all]"}, {"drop: [ALL]", "drop: [NET_RAW]"}, {"drop: [ALL]", "add: [NET_BIND_SERVICE], drop: [ALL]"}, {"drop: [ALL]", "add: [CHOWN], drop: [ALL]"},
		{"drop: [ALL]", "add: [SYS_ADMIN], drop: [ALL]"}, {"capabilities: {drop: [ALL]}", "capabilities: {}"}, {"drop: [ALL]", "drop: ALL"},
		{"spec:\n", "spec:\n  hostNetwork: true\n"}, {"spec:\n", "spec:\n  hostNetwork: false\n"}, {"spec:\n", "spec:\n  hostPID: true\n"}, {"spec:\n", "spec:\n  hostIPC: true\n"},
		{"spec:\n", "spec:\n  hostUsers: false\n"}, {"containerPort: 80", "containerPort: 80, hostPort: 80"}, {"containerPort: 80", "containerPort: 99999"},
		{"emptyDir: {}", "hostPath: {path: /x}"}, {"emptyDir: {}", "hostPath: {}"}, {"emptyDir: {}", "configMap: {name: a}"}, {"emptyDir: {}", "configMap: {}"}, {"emptyDir: {}", "nfs: {server: a, path: /b}"},
		{"emptyDir: {}", "emptyDir: {}, hostPath: {path: /x}"}, {"emptyDir: {}", "emptyDir: {sizeLimit: 1Gi}"}, {"emptyDir: {}", "emptyDir: {sizeLimit: 1G1}"},
		{"emptyDir: {}", "secret: {secretName: a}"}, {"emptyDir: {}", "persistentVolumeClaim: {claimName: a}"}, {"emptyDir: {}", "emptydir: {}"},
		{"{name: run}", "{name: cache}"}, {"{name: run}]", "{name: Run_1}]"}, {", {name: run}]", "]"}, {"mountPath: /var/run", "mountPath: /var/cache/nginx"}, {", mountPath: /var/run", ""},
		{"mountPath: /var/run", "mountPath: run"}, {"mountPath: /var/run", "mountPath: /var/run, subPath: ../x"},
		{container, ""}, {"nginx:1.29", `" nginx"`}, {"name: init", "name: web"}, {"name: init", "name: In_it"}, {"  - name: web\n", "  - \n"},
		{"name: web, labels", "name: Web, labels"}, {"name: web, labels", "labels"}, {"app: web", "app: we b"}, {"app: web", "app: 1"}, {"  containers:\n", "  ephemeralContainers:\n"},
		{"spec:\n", "spec:\n  restartPolicy: Sometimes\n"}, {container, container + "    imagePullPolicy: Maybe\n"}, {container, container + "    resources: {requests: {cpu: 2}, limits: {cpu: 1}}\n"},
		{container, container + "    resources: {requests: {cpu: x}}\n"}, {container, container + "    resources: {limits: {cpu: 0.5, memory: 64Mi}}\n"}, {container, container + "    resources: {limits: {ram: 64Mi}}\n"},
		{container, container + "    env: [{name: A, value: 1}]\n"}, {container, container + "    command: sleep 1\n"}, {"metadata: {", "metadata: {annotations: {container.apparmor.security.beta.kubernetes.io/web: localhost/x}, "},
		{"metadata: {", "metadata: {annotations: {container.apparmor.security.beta.kubernetes.io/web: unconfined}, "},
		{"spec:\n", "spec:\n  os: {name: windows}\n"}, {pod, pod + "sysctls: [{name: kernel.msgmax, value: '1'}], "}, {pod, pod + "sysctls: [{name: net.ipv4.tcp_syncookies, value: '1'}], "},
	} {
		data := strings.ReplaceAll(livePod, test.from, test.to)
		if test.from == "" {
			data = livePod
		} else if data == livePod {
			t.Fatalf("nothing is replaced for %q", test.from)
		}
		object, err := yaml.YAMLToJSON([]byte(data))
		if err != nil {
			t.Fatal(err)
		}
		graded := gradePod(t, "Pod", data)
		for _, check := range graded.Checks {
			unique := strings.Replace(string(object), `"labels":{"app":"web"},"name":"web"}`, fmt.Sprintf(`"labels":{"app":"web"},"name":"web-%d"}`, i), 1)
			err := client.CreateJSON(t.Context(), "/api/v1/namespaces/"+check.ID+"/pods", []byte(unique))
			admitted[err == nil]++
			if (err == nil) != check.Passed {
				t.Errorf("%q for %q, %s: passed %v (%s), the API server says %v", test.to, test.from, check.ID, check.Passed, check.Found, err)
			}
		}
	}
	if admitted[true] < 30 || admitted[false] < 100 {
		t.Errorf("the API server admitted %v", admitted)
	}
}

// gradePod grades a manifest by the checks of podLab.
func gradePod(t *testing.T, kind, manifest string) *lab.Result {
	t.Helper()
	l, err := lab.Read(fstest.MapFS{
		"lab.yaml": {Data: []byte(strings.ReplaceAll(podLab, "KIND", kind))}, "start/a.yaml": {Data: []byte(manifest)},
	}, "test-pod", "test-pod")
	if err != nil {
		t.Fatal(err)
	}
	w, err := lab.Start(t.Context(), lab.StartOptions{Lab: l, Root: t.TempDir(), Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	return grade(t, w)
}
