package lab

import (
	"strings"
	"testing"
	"testing/fstest"
)

const serverPod = `apiVersion: v1
kind: Pod
metadata: {name: kube-apiserver, namespace: kube-system}
spec:
  hostNetwork: true
  containers:
  - name: kube-apiserver
    image: registry.example.com/kube-apiserver:v1.36.3
    command:
    - kube-apiserver
    - --etcd-servers=https://127.0.0.1:2379
    - --enable-admission-plugins=NodeRestriction,AlwaysPullImages
    - --audit-policy-file=/etc/kubernetes/audit/policy.yaml
    - --audit-log-path=/var/log/audit/audit.log
    - --audit-log-maxage=10
    - --profiling=false
    volumeMounts:
    - {name: audit, mountPath: /etc/kubernetes/audit/policy.yaml, readOnly: true}
    - {name: log, mountPath: /var/log/audit}
  volumes:
  - {name: audit, hostPath: {path: /etc/audit/policy.yaml, type: File}}
  - {name: log, hostPath: {path: /var/log/kubernetes/audit, type: DirectoryOrCreate}}
`

func TestStaticPod(t *testing.T) {
	t.Parallel()
	plugins := "NodeRestriction,AlwaysPullImages"
	for _, test := range []struct{ name, with, from, to, found string }{
		{"contains", `flags: {enable-admission-plugins: {contains: NodeRestriction}}`, "", "", ""},
		{"contains not", `flags: {enable-admission-plugins: {contains: [NodeRestriction, EventRateLimit]}}`, "", "", "--enable-admission-plugins=NodeRestriction,AlwaysPullImages"},
		{"only", `flags: {enable-admission-plugins: {only: [AlwaysPullImages, NodeRestriction]}}`, "", "", ""},
		{"lacks", `flags: {enable-admission-plugins: {lacks: AlwaysPullImages}}`, "", "", "--enable-admission-plugins="},
		{"lists add up", `flags: {enable-admission-plugins: {only: [AlwaysPullImages, NodeRestriction, EventRateLimit]}}`, "    - --profiling=false", "    - --enable-admission-plugins\n    - EventRateLimit", ""},
		{"flow style", `flags: {profiling: false}`, "    command:\n    - kube-apiserver\n", "    command: [kube-apiserver]\n    args:\n", ""},
		{"unknown plugin", `flags: {profiling: false}`, plugins, plugins + ",PodSecurityPolicy", "it would not start: kube-apiserver 1.36 has no admission plugin PodSecurityPolicy: 1.24 was the last"},
		{"space behind the comma", `flags: {profiling: false}`, plugins, "NodeRestriction, AlwaysPullImages", `has no admission plugin " AlwaysPullImages"`},
		{"a comma too many", `flags: {profiling: false}`, plugins, plugins + ",", `has no admission plugin ""`},
		{"in quotes", `flags: {profiling: false}`, "=" + plugins, "=\"" + plugins + "\"", "has no admission plugin"},
		{"on and off", `flags: {profiling: false}`, "--profiling=false", "--disable-admission-plugins=NodeRestriction", "both enabled and disabled"},
		{"unknown flag", `flags: {profiling: false}`, "--audit-log-maxage", "--audit-max-age", "has no flag --audit-max-age"},
		{"no number", `flags: {profiling: false}`, "maxage=10", "maxage=10d", `does not take "10d" for --audit-log-maxage`},
		{"stray word", `flags: {profiling: false}`, "--profiling=false", "--profiling\n    - x", `takes no argument "x"`},
		{"number", `flags: {audit-log-maxage: 10}`, "", "", ""},
		{"another number", `flags: {audit-log-maxage: 10}`, "maxage=10", "maxage=30", "--audit-log-maxage=30"},
		{"bounds", `flags: {audit-log-maxage: {min: 5, max: 10}}`, "", "", ""},
		{"the last counts", `flags: {audit-log-maxage: 5}`, "--profiling=false", "--audit-log-maxage=5", ""},
		{"absent", `flags: {token-auth-file: {absent: true}}`, "", "", ""},
		{"not absent", `flags: {profiling: {absent: true}}`, "", "", "--profiling=false"},
		{"text", `flags: {audit-log-path: /var/log/audit/audit.log}`, "", "", ""},
		{"file", `files: {audit-policy-file: {host: /etc/audit/policy.yaml, readOnly: true}}`, "", "", ""},
		{"file below a directory", `files: {audit-log-path: {host: /var/log/kubernetes/audit/audit.log, written: true}}`, "", "", ""},
		{"writable", `files: {audit-policy-file: {host: /etc/audit/policy.yaml, readOnly: true}}`, ", readOnly: true", "", "can be written to"},
		{"log is read-only", `files: {audit-log-path: {host: /var/log/kubernetes/audit/audit.log, written: true}}`, "mountPath: /var/log/audit", "readOnly: true, mountPath: /var/log/audit", "is readOnly"},
		{"another host path", `files: {audit-policy-file: {host: /etc/kubernetes/audit.yaml}}`, "", "", "is /etc/audit/policy.yaml on the host"},
		{"not mounted", `files: {audit-policy-file: {host: /etc/audit/policy.yaml}}`, "audit/policy.yaml, readOnly", "policy.yaml, readOnly", "no mount of a hostPath volume shows"},
		{"no hostPath", `files: {audit-policy-file: {host: /etc/audit/policy.yaml}}`, "hostPath: {path: /etc/audit/policy.yaml, type: File}", "emptyDir: {}", "no mount of a hostPath"},
		{"no volume", `files: {audit-policy-file: {host: /etc/audit/policy.yaml}}`, "  - {name: audit, hostPath: {path: /etc/audit/policy.yaml, type: File}}\n", "", "no mount of a hostPath"},
		{"type of a directory", `files: {audit-policy-file: {host: /etc/audit/policy.yaml}}`, "type: File", "type: Directory", "has the type Directory"},
		{"no type", `files: {audit-policy-file: {host: /etc/audit/policy.yaml}}`, ", type: File", "", ""},
		{"flag without the file", `files: {client-ca-file: {host: /a}}`, "", "", "--client-ca-file is absent"},
		{"log mounted as a file", `files: {audit-log-path: {host: /var/log/kubernetes/audit, written: true}}`, "mountPath: /var/log/audit", "mountPath: /var/log/audit/audit.log", "not of type FileOrCreate"},
		{"fields", `fields: {spec.hostNetwork: true}`, "", "", ""},
		{"fields and flags", `fields: {spec.hostNetwork: false}, flags: {profiling: true}`, "", "", "--profiling=false; spec.hostNetwork is true"},
		{"misspelt", `flags: {profiling: false}`, "volumeMounts", "volumeMount", `unknown field "spec.containers[0].volumeMount"`},
		{"two", `flags: {profiling: false}`, "apiVersion: v1\n", "apiVersion: v1\nkind: Namespace\n---\napiVersion: v1\n", "2 objects"},
		{"another kind", `flags: {profiling: false}`, "kind: Pod", "kind: Service", "no Pod"},
		{"another program", `flags: {profiling: false}`, "kube-apiserver", "etcd", "runs no kube-apiserver"},
		{"half", `flags: {profiling: false}`, "kind: Pod", "kind: [", "is not valid YAML"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			data := serverPod
			if test.from != "" {
				if data = strings.ReplaceAll(data, test.from, test.to); data == serverPod {
					t.Fatal("nothing is replaced")
				}
			}
			got := gradeText(t, "staticPod", `{file: a.yaml, component: kube-apiserver, `+test.with+`}`, map[string]string{"a.yaml": data})
			if got.Passed != (test.found == "") || !strings.Contains(got.Found, test.found) || got.Wanted == "" {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestStaticPodOfAnother(t *testing.T) {
	t.Parallel()
	etcd := "apiVersion: v1\nkind: Pod\nmetadata: {name: etcd}\nspec:\n  containers:\n  - name: etcd\n    image: etcd:3.6\n    command: [etcd, --client-cert-auth=true, --data-dir, /var/lib/etcd]\n" +
		"    volumeMounts: [{name: data, mountPath: /var/lib/etcd}]\n  volumes: [{name: data, hostPath: {path: /data}}]\n"
	for with, passed := range map[string]bool{
		`flags: {client-cert-auth: true, data-dir: /var/lib/etcd}`: true,
		`flags: {client-cert-auth: false}`:                         false,
		`files: {data-dir: {host: /data}}`:                         true,
	} {
		got := gradeText(t, "staticPod", `{file: a.yaml, component: etcd, `+with+`}`, map[string]string{"a.yaml": etcd})
		if got.Passed != passed {
			t.Errorf("%s: %+v", with, got)
		}
	}
	got := gradeText(t, "staticPod", `{file: a.yaml, component: kubelet, flags: {a: b}}`, map[string]string{"a.yaml": etcd})
	if got.Passed || got.Found != "a.yaml runs no kubelet" {
		t.Errorf("%+v", got)
	}
}

func TestStaticPodRefuses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ with, err string }{
		{`{file: a, flags: {a: b}}`, `no field "component"`},
		{`{file: a, component: etcd}`, `asks for nothing`},
		{`{component: etcd, flags: {a: b}}`, `no field "file"`},
		{`{file: a, component: etcd, flags: {--a: b}}`, `has its dashes`},
		{`{file: a, component: etcd, flags: {a: [b]}}`, `plain list`},
		{`{file: a, component: etcd, files: {a: {}}}`, `no absolute path`},
		{`{file: a, component: etcd, files: {a: {host: b}}}`, `no absolute path`},
	} {
		_, err := parse([]byte(labWith("staticPod", test.with)), fstest.MapFS{}, "test", labFile)
		if err == nil || !strings.Contains(err.Error(), test.err) {
			t.Errorf("%s: %v", test.with, err)
		}
	}
}
