package lab

import (
	"strings"
	"testing"
	"testing/fstest"
)

// gradeText grades files by a check, whose parameters are in YAML's flow style.
func gradeText(t *testing.T, kind, with string, files map[string]string) CheckResult {
	t.Helper()
	lab, err := parse([]byte(labWith(kind, with)), fstest.MapFS{}, "test", labFile)
	if err != nil {
		t.Fatal(err)
	}
	return gradeIn(t, lab, files)[0]
}

func labWith(kind, with string) string {
	return "apiVersion: pkictl.dev/v1\nkind: Lab\ntitle: t\ndomain: cluster-setup\nminutes: 5\nscenario: s\ntasks: [a]\n" +
		"checks:\n- {id: x, name: n, kind: " + kind + ", points: 1, task: 1, with: " + with + "}\n"
}

const webPod = `apiVersion: v1
kind: Pod
metadata:
  name: web
  labels: {app.kubernetes.io/name: web, tier: "1"}
spec:
  hostNetwork: false
  containers:
  - name: web
    image: nginx:1.29
    securityContext:
      privileged: false
      capabilities: {drop: [ALL], add: [NET_BIND_SERVICE, SYS_TIME]}
    resources: {limits: {memory: 128Mi, cpu: 0.5}}
  - name: log
    image: registry.example.com/log:2
    env: [{name: A, value: "80"}]
    ports: [{containerPort: 80}]
`

func TestManifestFields(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ fields, found string }{
		{`spec.hostNetwork: false`, ""},
		{`spec.hostNetwork: {not: true}`, ""},
		{`spec.hostPID: {not: true}`, ""},
		{`spec.hostPID: {equals: false, default: false}`, ""},
		{`spec.hostPID: false`, "Pod web: spec.hostPID is absent"},
		{`spec.hostPID: {absent: true}`, ""},
		{`spec.hostNetwork: {absent: true}`, "spec.hostNetwork is false"},
		{`spec.containers: {present: true}`, ""},
		{`spec.volumes: {present: true}`, "spec.volumes is absent"},
		{`"metadata.labels[app.kubernetes.io/name]": web`, ""},
		{`"metadata.labels[app.kubernetes.io/name]": {not: [a, b]}`, ""},
		{`metadata.labels.tier: "1"`, ""},
		{`metadata.labels.tier: 1`, `metadata.labels.tier is "1"`},
		{`metadata.labels: {equals: {tier: "1", app.kubernetes.io/name: web}}`, ""},
		{`metadata.labels: {equals: {tier: "1"}}`, `metadata.labels is {"app.kubernetes.io/name"`},
		{`"spec.containers[*].image": nginx:1.29`, "spec.containers[name=log].image is registry.example.com/log:2"},
		{`"spec.containers[*].image": {oneOf: [nginx:1.29, registry.example.com/log:2]}`, ""},
		{`"spec.containers[any].image": registry.example.com/log:2`, ""},
		{`"spec.containers[any].image": x`, "is registry.example.com/log:2"},
		{`"spec.containers[name=web].image": nginx:1.29`, ""},
		{`"spec.containers[name=none].image": nginx:1.29`, "spec.containers[name=none].image is absent"},
		{`"spec.containers[name=none].image": {absent: true}`, ""},
		{`"spec.containers[1].image": nginx:1.29`, "spec.containers[name=log].image is"},
		{`"spec.containers[2].image": nginx:1.29`, "spec.containers[2].image is absent"},
		{`"spec.initContainers[*].image": {absent: true}`, ""},
		{`"spec.initContainers[*].image": x`, "spec.initContainers[*].image is absent"},
		{`"spec.containers[*].securityContext.privileged": {not: true}`, ""},
		{`"spec.containers[*].securityContext.privileged": false`, "spec.containers[name=log].securityContext.privileged is absent"},
		{`"spec.containers[name=web].securityContext.capabilities.drop": {contains: ALL}`, ""},
		{`"spec.containers[name=web].securityContext.capabilities.drop": {contains: [ALL, KILL]}`, `drop lacks KILL`},
		{`"spec.containers[name=web].securityContext.capabilities.add": {only: [SYS_TIME, NET_BIND_SERVICE]}`, ""},
		{`"spec.containers[name=web].securityContext.capabilities.add": {only: [SYS_TIME]}`, `add has NET_BIND_SERVICE, too`},
		{`"spec.containers[name=web].securityContext.capabilities.add": {equals: [SYS_TIME, NET_BIND_SERVICE]}`, "add is"},
		{`"spec.containers[name=web].securityContext.capabilities.add": {lacks: SYS_ADMIN}`, ""},
		{`"spec.containers[*].securityContext.capabilities.add": {lacks: SYS_ADMIN}`, ""},
		{`"spec.containers[*].securityContext.capabilities.add": {lacks: [SYS_TIME]}`, "add has SYS_TIME"},
		{`"spec.containers[name=web].resources.limits.memory": {min: "128Mi", max: "0.5Gi"}`, ""},
		{`"spec.containers[name=web].resources.limits.memory": {min: "1G"}`, "memory is 128Mi"},
		{`"spec.containers[name=web].resources.limits.cpu": {min: "500m", max: "500m"}`, ""},
		{`"spec.containers[*].ports[*].containerPort": {min: 80, max: 80}`, "spec.containers[name=web].ports[*].containerPort is absent"},
		{`"spec.containers[name=log].ports[*].containerPort": {min: 80, max: 80}`, ""},
		{`"spec.containers[name=log].ports[containerPort=80].name": {absent: true}`, ""},
		{`"spec.containers[name=log].env[name=A].value": {min: 1}`, `is "80"`},
	} {
		t.Run(test.fields, func(t *testing.T) {
			t.Parallel()
			got := gradeText(t, "manifest", `{file: a.yaml, kind: Pod, name: web, fields: {`+test.fields+`}}`, map[string]string{"a.yaml": webPod})
			if got.Passed != (test.found == "") || !strings.Contains(got.Found, test.found) || got.Wanted == "" {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestManifestObjects(t *testing.T) {
	t.Parallel()
	deployment := "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d, namespace: prod}\nspec: {replicas: 3}\n"
	for _, test := range []struct{ name, with, data, found string }{
		{"namespace", `kind: Deployment, name: d, namespace: prod`, deployment, ""},
		{"other namespace", `kind: Deployment, name: d, namespace: dev`, deployment, "a.yaml has Deployment prod/d only"},
		{"no namespace", `kind: Deployment, name: d, namespace: prod`, strings.Replace(deployment, ", namespace: prod", "", 1), "Deployment d in a.yaml has no metadata.namespace, and would be in default"},
		{"default namespace", `kind: Pod, name: web, namespace: default`, webPod, ""},
		{"default namespace written out", `kind: Pod, name: web, namespace: default`, strings.Replace(webPod, "name: web", "namespace: default\n  name: web", 1), ""},
		{"several", `kind: Pod, name: web`, deployment + "---\n" + webPod, ""},
		{"JSON", `kind: Pod, name: web, fields: {spec.hostNetwork: true}`, `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"web"},"spec":{"hostNetwork":true}}`, ""},
		{"twice", `kind: Pod, name: web`, webPod + "---\n" + webPod, "has 2 objects Pod web"},
		{"all of a kind", `kind: Pod, fields: {spec.hostNetwork: {not: true}}`, webPod + "---\n" + strings.Replace(webPod, "name: web", "name: x", 1), ""},
		{"all of a kind, one wrong", `kind: Pod, fields: {metadata.name: web}`, webPod + "---\n" + strings.Replace(webPod, "name: web", "name: x", 1), "Pod x: metadata.name is x"},
		{"misspelt", `kind: Pod, name: web`, strings.Replace(webPod, "hostNetwork", "hostnetwork", 1), `unknown field "spec.hostnetwork"`},
		{"in the wrong place", `kind: Pod, name: web`, strings.Replace(webPod, "privileged: false", "runAsNonroot: true", 1), `unknown field "spec.containers[0].securityContext.runAsNonroot"`},
		{"quoted boolean", `kind: Pod, name: web`, strings.Replace(webPod, "privileged: false", `privileged: "false"`, 1), "spec.containers.securityContext.privileged: there is a text where true or false belongs"},
		{"another kind is misspelt", `kind: Deployment, name: d`, deployment + "---\n" + strings.Replace(webPod, "hostNetwork", "hostnetwork", 1), ""},
		{"version", `kind: Deployment, apiVersion: apps/v1`, deployment, ""},
		{"gone", `kind: Deployment`, strings.Replace(deployment, "apps/v1", "extensions/v1beta1", 1), "serves no more since 1.16: use apps/v1"},
		{"gone since 1.25", `kind: RuntimeClass`, "apiVersion: node.k8s.io/v1beta1\nkind: RuntimeClass\nmetadata: {name: gvisor}\nhandler: runsc\n", "since 1.25: use node.k8s.io/v1"},
		{"never been", `kind: Deployment`, strings.Replace(deployment, "apps/v1", "v1", 1), "v1 has no Deployment, it is in apps/v1"},
		{"custom", `kind: Deployment, fields: {spec.any: 1}`, "apiVersion: example.com/v1\nkind: Deployment\nspec: {any: 1}\n", ""},
		{"custom of another version", `kind: Deployment, apiVersion: apps/v1`, "apiVersion: example.com/v1\nkind: Deployment\nspec: {any: 1}\n", "is of example.com/v1"},
		{"without", `kind: Pod, without: PodSecurityPolicy`, webPod, ""},
		{"not without", `kind: Pod, without: [PodSecurityPolicy]`, webPod + "---\napiVersion: policy/v1beta1\nkind: PodSecurityPolicy\nmetadata: {name: p}\n", "since 1.25: use Pod Security Admission"},
		{"fields of no mapping", `kind: Pod, fields: {spec.containers.name: web}`, webPod, "spec.containers.name is absent"},
		{"null", `kind: Pod, fields: {spec.hostNetwork: {absent: true}}`, strings.Replace(webPod, "hostNetwork: false", "hostNetwork: null", 1), ""},
		{"no file", `kind: Pod`, "", "is empty"},
		{"a huge quantity", `kind: Pod, fields: {"spec.containers[0].resources.limits.cpu": {min: "1"}}`, strings.Replace(webPod, "cpu: 0.5", "cpu: 1e99999999", 1), "has the quantity 1e99999999"},
		{"no huge quantity", `kind: Pod`, strings.Replace(webPod, "tier: ", "hash: \"12e45678\", tier: ", 1), ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := gradeText(t, "manifest", `{file: a.yaml, `+test.with+`}`, map[string]string{"a.yaml": test.data})
			if got.Passed != (test.found == "") || !strings.Contains(got.Found, test.found) || got.Wanted == "" {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestManifestRefuses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ with, err string }{
		{`{kind: Pod}`, `no field "file"`},
		{`{file: a}`, `no field "kind"`},
		{`{file: a, kind: Pod, field: {}}`, `unknown field "field"`},
		{`{file: a, kind: Pod, fields: {spec.: 1}}`, `"spec." is no path`},
		{`{file: a, kind: Pod, fields: {"": 1}}`, `"" is no path`},
		{`{file: a, kind: Pod, fields: {"spec..a": 1}}`, `is no path`},
		{`{file: a, kind: Pod, fields: {"a[": 1}}`, `is no path`},
		{`{file: a, kind: Pod, fields: {"a[]": 1}}`, `is no path`},
		{`{file: a, kind: Pod, fields: {"[a]": 1}}`, `is no path`},
		{`{file: a, kind: Pod, fields: {"a[b]c": 1}}`, `is no path`},
		{`{file: a, kind: Pod, fields: {"a.*": 1}}`, `is no path`},
		{`{file: a, kind: Pod, fields: {a: [1]}}`, `plain list`},
		{`{file: a, kind: Pod, fields: {a: {}}}`, `nothing is wanted at a`},
		{`{file: a, kind: Pod, fields: {a: {default: 1}}}`, `nothing is wanted at a`},
		{`{file: a, kind: Pod, fields: {a: {equal: 1}}}`, `unknown field "equal"`},
		{`{file: a, kind: Pod, fields: {a: {absent: false}}}`, `absent is false`},
		{`{file: a, kind: Pod, fields: {a: {contains: []}}}`, `the list is empty`},
		{`{file: a, kind: Pod, fields: {a: {min: x}}}`, `x is no bound`},
		{`{file: a, kind: Pod, fields: {a: {min: true}}}`, `true is no bound`},
	} {
		_, err := parse([]byte(labWith("manifest", test.with)), fstest.MapFS{}, "test", labFile)
		if err == nil || !strings.Contains(err.Error(), test.err) {
			t.Errorf("%s: %v", test.with, err)
		}
	}
}

func FuzzPath(f *testing.F) {
	for _, seed := range []string{"spec.containers[name=web].image", "a[*].b", "a[", "a.b.", "a[x/y].c[0]"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		path, err := parsePath(text)
		if err == nil && len(path) == 0 {
			t.Fatal("a path without steps")
		}
		_, _ = judgeAt(value{"", object{"a": []any{object{"name": "x"}, 1.0, nil}}}, path, func(v value) (string, bool) { return shown(v.it), v.it != nil })
	})
}
