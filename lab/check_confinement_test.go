package lab

import (
	"strings"
	"testing"
	"testing/fstest"
)

func TestConfinement(t *testing.T) {
	t.Parallel()
	const head = "apiVersion: v1\nkind: Pod\nmetadata: {name: p"
	pod := func(security, containers string) string {
		containers = withImages(containers)
		return head + "}\nspec: {securityContext: " + security + ", containers: [" + containers + "]}\n"
	}
	const (
		def       = "{seccompProfile: {type: RuntimeDefault}}"
		none      = "{seccompProfile: {type: Unconfined}}"
		local     = "{seccompProfile: {type: Localhost, localhostProfile: profiles/a.json}}"
		armor     = "{appArmorProfile: {type: Localhost, localhostProfile: a}}"
		armorNone = "{appArmorProfile: {type: Unconfined}}"
	)
	for _, test := range []struct{ name, with, data, found string }{
		{"of the pod", "seccomp: RuntimeDefault", pod(def, "{name: a}, {name: b}"), ""},
		{"of containers", "seccomp: RuntimeDefault", pod("{}", "{name: a, securityContext: "+def+"}"), ""},
		{"of one container", "seccomp: RuntimeDefault", pod("{}", "{name: a, securityContext: "+def+"}, {name: b}"), "b: Unset"},
		{"container first", "seccomp: RuntimeDefault", pod(def, "{name: a, securityContext: "+none+"}"), "seccomp of a: Unconfined"},
		{"other settings", "seccomp: RuntimeDefault", pod(def, "{name: a, securityContext: {runAsUser: 1}}"), ""},
		{"init container", "seccomp: RuntimeDefault", strings.Replace(pod(def, "{name: a}"), "containers", "initContainers: [{name: i, image: i:1, securityContext: "+none+"}], containers", 1), "i: Unconfined"},
		{"privileged", "seccomp: RuntimeDefault", pod(def, "{name: a, securityContext: {privileged: true}}"), "a: Unconfined (privileged)"},
		{"by name", "seccomp: {a: Localhost profiles/a.json, '*': RuntimeDefault}", pod(def, "{name: a, securityContext: "+local+"}, {name: b}"), ""},
		{"dot", "seccomp: Localhost profiles/a.json", pod(strings.Replace(local, "profiles", "./profiles", 1), "{name: a}"), ""},
		{"no such container", "seccomp: {c: Unset}", pod(def, "{name: a}"), "no container c"},
		{"unset", "seccomp: Unset", pod("{}", "{name: a}"), ""},
		{"absolute", "seccomp: Localhost profiles/a.json", pod(strings.Replace(local, "profiles", "/profiles", 1), "{name: a}"), "is absolute"},
		{"dots", "seccomp: Localhost profiles/a.json", pod(strings.Replace(local, "profiles", "x/../profiles", 1), "{name: a}"), "has .. in it"},
		{"no name", "seccomp: RuntimeDefault", pod("{seccompProfile: {type: Localhost}}", "{name: a}"), "no localhostProfile"},
		{"a name too many", "seccomp: RuntimeDefault", pod("{seccompProfile: {type: RuntimeDefault, localhostProfile: a}}", "{name: a}"), "which is for Localhost alone"},
		{"type", "seccomp: RuntimeDefault", pod("{seccompProfile: {type: runtime/default}}", "{name: a}"), `the type "runtime/default"`},
		{"misspelt", "seccomp: RuntimeDefault", pod("{seccompprofile: {type: RuntimeDefault}}", "{name: a}"), "unknown field"},
		{"AppArmor", "appArmor: Localhost a", pod(armor, "{name: a}"), ""},
		{"AppArmor of a container", "appArmor: Localhost a", pod(armor, "{name: a, securityContext: "+armorNone+"}"), "a: Unconfined"},
		{"AppArmor and privileged", "appArmor: Localhost a", pod(armor, "{name: a, securityContext: {privileged: true}}"), ""},
		{"AppArmor, the old name", "appArmor: Localhost a", pod(strings.Replace(armor, "localhostProfile: a", "localhostProfile: localhost/a", 1), "{name: a}"), "a: Localhost localhost/a"},
		{"AppArmor, blanks", "appArmor: Localhost a", pod(strings.Replace(armor, "localhostProfile: a", "localhostProfile: 'a '", 1), "{name: a}"), "spaces around"},
		{"annotation", "annotations: false", head + ", annotations: {seccomp.security.alpha.kubernetes.io/pod: runtime/default}}\nspec: {containers: [{name: a, image: a:1}]}\n", "annotation seccomp.security"},
		{"annotation of a container", "annotations: false", head + ", annotations: {container.apparmor.security.beta.kubernetes.io/a: localhost/x}}\nspec: {containers: [{name: a, image: a:1}]}\n", "annotation container.apparmor"},
		{"annotation of no container", "annotations: false", head + ", annotations: {container.apparmor.security.beta.kubernetes.io/p: localhost/x}}\nspec: {containers: [{name: a, image: a:1}]}\n", "no container of that name"},
		{"another annotation", "annotations: false", head + ", annotations: {x: z}}\nspec: {containers: [{name: a, image: a:1}]}\n", ""},
		{"containers", "containers: [b, a]", pod("{}", "{name: a}, {name: b}"), ""},
		{"containers lost", "containers: [b, a]", pod("{}", "{name: a}"), "containers a"},
		{"no containers", "seccomp: Unset", head + "}\nspec: {containers: []}\n", "has no containers"},
		{"no spec", "seccomp: Unset", head + "}\n", "has no containers"},
		{"null", "seccomp: Unset", head + "}\nspec: null\n", "has no containers"},
		{"null profile", "seccomp: Unset", pod("null", "{name: a, securityContext: {seccompProfile: null}}"), ""},
		{"template", "seccomp: Unset", "{{ .Values }}", "is a template"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := gradeText(t, "confinement", "{file: a.yaml, kind: Pod, name: p, "+test.with+"}", map[string]string{"a.yaml": test.data})
			if got.Passed != (test.found == "") || !strings.Contains(got.Found, test.found) || got.Wanted == "" {
				t.Errorf("%+v", got)
			}
		})
	}
}

func withImages(containers string) string {
	return strings.ReplaceAll(containers, "{name: ", "{image: nginx:1.29, name: ")
}

func TestConfinementOfWorkloads(t *testing.T) {
	t.Parallel()
	const template = "template: {metadata: {labels: {app: p}, annotations: {seccomp.security.alpha.kubernetes.io/pod: x}}, spec: {securityContext: {seccompProfile: {type: RuntimeDefault}}, restartPolicy: RESTART, containers: [{name: a, image: a:1}]}}"
	always, once := strings.Replace(template, "RESTART", "Always", 1), strings.Replace(template, "RESTART", "Never", 1)
	for kind, data := range map[string]string{
		"Deployment": "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: p}\nspec: {selector: {matchLabels: {app: p}}, " + always + "}\n",
		"Job":        "apiVersion: batch/v1\nkind: Job\nmetadata: {name: p}\nspec: {" + once + "}\n",
		"CronJob":    "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: p}\nspec: {schedule: '* * * * *', jobTemplate: {spec: {" + once + "}}}\n",
	} {
		files := map[string]string{"a.yaml": data}
		if got := gradeText(t, "confinement", "{file: a.yaml, kind: "+kind+", name: p, seccomp: RuntimeDefault}", files); !got.Passed {
			t.Errorf("%s: %+v", kind, got)
		}
		if got := gradeText(t, "confinement", "{file: a.yaml, kind: "+kind+", name: p, annotations: false}", files); got.Passed {
			t.Errorf("%s: %+v", kind, got)
		}
	}
}

func TestConfinementRefuses(t *testing.T) {
	t.Parallel()
	for with, want := range map[string]string{
		`{file: a, seccomp: Unset}`:                                     "no kind and name",
		`{file: a, kind: Pod, name: p}`:                                 "asks for nothing",
		`{kind: Pod, name: p, seccomp: Unset}`:                          `no field "file"`,
		`{file: a, kind: Pod, name: p, seccomp: Default}`:               `"Default" is no profile`,
		`{file: a, kind: Pod, name: p, appArmor: {a: "Localhost "}}`:    "is no profile",
		`{file: a, kind: Pod, name: p, annotations: true}`:              "annotations is true",
		`{file: a, kind: Pod, name: p, containers: []}`:                 "containers",
		`{file: a, kind: Pod, name: p, seccomp: [RuntimeDefault]}`:      "seccomp",
		`{file: a, kind: Pod, name: p, seccompProfile: RuntimeDefault}`: `unknown field "seccompProfile"`,
	} {
		_, err := parse([]byte(labWith("confinement", with)), fstest.MapFS{}, "test", labFile)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", with, err, want)
		}
	}
}
