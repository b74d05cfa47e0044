package lab

import (
	"strings"
	"testing"
	"testing/fstest"
)

// restrictedPod is one that Pod Security admits at restricted. PODSC and SC are what
// tests put in.
const restrictedPod = `apiVersion: v1
kind: Pod
metadata: {name: web, namespace: prod}
spec:
  securityContext: {runAsNonRoot: true, runAsUser: 1000, seccompProfile: {type: RuntimeDefault}}
  initContainers:
  - name: init
    image: busybox:1.37
    securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
  containers:
  - name: web
    image: nginx:1.29
    securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
    volumeMounts: [{name: cache, mountPath: /var/cache/nginx}, {name: run, mountPath: /var/run}]
  volumes: [{name: cache, emptyDir: {}}, {name: run}]
`

func TestPodSecurity(t *testing.T) {
	t.Parallel()
	const web = "  - name: web\n    image: nginx:1.29\n    securityContext: {"
	const init = "  - name: init\n    image: busybox:1.37\n    securityContext: {"
	const pod = "  securityContext: {runAsNonRoot: true, runAsUser: 1000, "
	for _, test := range []struct{ name, with, from, to, found string }{
		{"restricted", `level: restricted`, "", "", ""},
		{"restricted of 1.36", `level: restricted, version: v1.36`, "", "", ""},
		{"baseline", `level: baseline`, "", "", ""},
		{"baseline asks less", `level: baseline`, "allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}", "", ""},
		{"container counts before pod", `level: restricted`, web, web + "runAsNonRoot: false, ", `(container "web" must not set securityContext.runAsNonRoot=false)`},
		{"container without pod", `level: restricted`, pod, "  securityContext: {", "runAsNonRoot != true"},
		{"root in the container", `level: restricted`, web, web + "runAsUser: 0, ", "runAsUser=0"},
		{"initContainer", `level: restricted`, init + "allowPrivilegeEscalation: false", init + "allowPrivilegeEscalation: true", `container "init" must set securityContext.allowPrivilegeEscalation=false`},
		{"unconfined", `level: restricted`, "RuntimeDefault", "Unconfined", "seccompProfile"},
		{"added capability", `level: restricted`, "drop: [ALL]}}\n    volumeMounts", "drop: [ALL], add: [NET_BIND_SERVICE]}}\n    volumeMounts", ""},
		{"another capability", `level: restricted`, "drop: [ALL]}}\n    volumeMounts", "drop: [ALL], add: [NET_ADMIN]}}\n    volumeMounts", "unrestricted capabilities"},
		{"small letters", `level: restricted`, "drop: [ALL]", "drop: [all]", `must set securityContext.capabilities.drop=["ALL"]`},
		{"hostPath", `level: baseline`, "emptyDir: {}", "hostPath: {path: /x}", "hostPath volumes"},
		{"ephemeral container", `level: restricted`, "  volumes:", "  ephemeralContainers: [{name: debug, image: busybox:1.37}]\n  volumes:", `container "debug"`},
		{"user namespaces", `level: restricted`, "spec:\n", "spec:\n  hostUsers: false\n", ""},

		{"user of all", `containers: {runAsUser: 1000}`, "", "", ""},
		{"user of one", `containers: {runAsUser: 1000}`, init, init + "runAsUser: 2000, ", "Pod prod/web: init of initContainers: runAsUser is 2000"},
		{"root", `containers: {mayBeRoot: false}`, pod, "  securityContext: {", "mayBeRoot is true"},
		{"runAsNonRoot is enough", `containers: {mayBeRoot: false}`, "runAsUser: 1000, ", "", ""},
		{"a user is enough", `containers: {mayBeRoot: false}`, "runAsNonRoot: true, ", "", ""},
		{"user 0 is root", `containers: {mayBeRoot: false}`, "runAsUser: 1000, ", "runAsUser: 0, ", "mayBeRoot is true"},
		{"escalation is allowed by default", `containers: {allowPrivilegeEscalation: false}`, init + "allowPrivilegeEscalation: false, ", init, "init of initContainers: allowPrivilegeEscalation is true"},
		{"no capabilities", `containers: {capabilities: {equals: []}}`, "", "", ""},
		{"runtime's capabilities", `containers: {capabilities: {contains: [CHOWN, NET_RAW], lacks: [SYS_TIME]}}`, "{drop: [ALL]}", "{}", ""},
		{"seccomp of the pod", `containers: {seccompProfile.type: RuntimeDefault}`, "", "", ""},
		{"seccomp of the container", `containers: {seccompProfile.type: RuntimeDefault}`, web, web + "seccompProfile: {type: Unconfined}, ", "seccompProfile.type is Unconfined"},
		{"seccomp as a whole", `container: {name: web, fields: {seccompProfile: {equals: {type: RuntimeDefault}}}}`, "seccompProfile: {type: RuntimeDefault}}", "seccompProfile: {type: Localhost, localhostProfile: a.json}}", `localhostProfile`},
		{"AppArmor of the pod", `containers: {appArmorProfile.localhostProfile: x}`, pod, pod + "appArmorProfile: {type: Localhost, localhostProfile: x}, ", ""},
		{"no AppArmor", `containers: {appArmorProfile: {absent: true}}`, "", "", ""},
		{"pod", `pod: {hostNetwork: {not: true}, "volumes[*].hostPath": {absent: true}}`, "", "", ""},
		{"pod wrong", `pod: {securityContext.fsGroup: 2000}`, "", "", "securityContext.fsGroup is absent"},
		{"service account by its old name", `pod: {serviceAccountName: a}`, pod, "  serviceAccount: a\n" + pod, ""},
		{"one container", `container: {name: init, fields: {image: busybox:1.37, list: initContainers}}`, "", "", ""},
		{"no such container", `container: {name: app, fields: {image: x}}`, "", "", "there is none of that name"},

		{"emptyDirs", `container: {name: web, emptyDirs: [/var/cache/nginx, /run]}`, "", "", ""},
		{"slash", `container: {name: web, emptyDirs: [/var/cache/nginx]}`, "/var/cache/nginx", "/var/cache/nginx/", ""},
		{"/run for /var/run", `container: {name: web, emptyDirs: [/var/run]}`, "/var/run", "/run", ""},
		{"/var/running is another", `container: {name: web, emptyDirs: [/run]}`, "/var/run", "/var/running", "nothing is mounted at /run"},
		{"parent", `container: {name: web, emptyDirs: [/var/cache/nginx]}`, "/var/cache/nginx", "/var/cache", "nothing is mounted at /var/cache/nginx"},
		{"no emptyDir", `container: {name: web, emptyDirs: [/var/cache/nginx]}`, "emptyDir: {}", "configMap: {name: x}", "no emptyDir"},
		{"readOnly", `container: {name: web, emptyDirs: [/var/cache/nginx]}`, "mountPath: /var/cache/nginx", "readOnly: true, mountPath: /var/cache/nginx", "is readOnly"},
		{"of another container", `container: {name: init, emptyDirs: [/run]}`, "", "", "nothing is mounted at /run of container init"},

		{"of the object", `fields: {metadata.name: web}`, "", "", ""},
		{"of the object, wrong", `fields: {metadata.name: other}`, "", "", "metadata.name is web"},
		{"no image", `level: baseline`, "    image: nginx:1.29\n", "", "container web has the image \"\""},
		{"same name", `level: baseline`, "name: init", "name: web", "two containers are called web"},
		{"name", `level: baseline`, "name: init", "name: In_it", "no name for a container"},
		{"volume missing", `level: baseline`, "{name: cache, emptyDir: {}}, ", "", `mounts a volume "cache", which the pod does not have`},
		{"volume twice", `level: baseline`, "{name: run}", "{name: cache}", "two volumes are called cache"},
		{"mounted twice", `level: baseline`, "mountPath: /var/run", "mountPath: /var/cache/nginx", "mounts two volumes at /var/cache/nginx"},
		{"privileged without escalation", `containers: {privileged: true}`, web, web + "privileged: true, ", "is refused"},
		{"prefix", `level: baseline`, "drop: [ALL]", "drop: [CAP_CHOWN]", "is written CHOWN here"},
		{"no capability", `level: baseline`, "drop: [ALL]", "drop: [SYSTIME]", `there is no capability "SYSTIME"; did you mean SYS_TIME?`},
		{"negative user", `level: baseline`, "runAsUser: 1000", "runAsUser: -1", "-1 is no ID"},
		{"quoted", `level: baseline`, "runAsNonRoot: true", `runAsNonRoot: "true"`, "spec.securityContext.runAsNonRoot: there is a text where true or false belongs"},
		{"field of containers in the pod", `level: baseline`, pod, pod + "privileged: false, ", `unknown field "spec.securityContext.privileged"`},
		{"field of the pod in a container", `level: baseline`, web, web + "fsGroup: 1, ", `unknown field "spec.containers[0].securityContext.fsGroup"`},
		{"no containers", `level: baseline`, "  containers:\n", "  ephemeralContainers:\n", "the pod has no containers"},
		{"another namespace", `level: baseline, namespace: dev`, "", "", "a.yaml has Pod prod/web only"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			data := restrictedPod
			if test.from != "" {
				if data = strings.ReplaceAll(data, test.from, test.to); data == restrictedPod {
					t.Fatal("nothing is replaced")
				}
			}
			got := gradeText(t, "podSecurity", `{file: a.yaml, `+test.with+`}`, map[string]string{"a.yaml": data})
			if got.Passed != (test.found == "") || !strings.Contains(got.Found, test.found) || got.Wanted == "" || got.Found == "" {
				t.Errorf("%+v", got)
			}
		})
	}
}

// TestPodTemplates looks at the pods of all kinds that make some.
func TestPodTemplates(t *testing.T) {
	t.Parallel()
	spec := restrictedPod[strings.Index(restrictedPod, "spec:\n")+len("spec:\n"):]
	indent := func(by int) string { return strings.ReplaceAll("\n"+spec, "\n  ", "\n"+strings.Repeat(" ", by+2)) }
	template := "    metadata: {labels: {a: b}}\n    spec:" + indent(4)
	ends := strings.Replace(template, "spec:\n", "spec:\n      restartPolicy: OnFailure\n", 1) // as a Job's must
	head := func(apiVersion, kind string) string {
		return "apiVersion: " + apiVersion + "\nkind: " + kind + "\nmetadata: {name: web}\nspec:\n"
	}
	for _, test := range []struct{ kind, data, found string }{
		{"Deployment", head("apps/v1", "Deployment") + "  selector: {matchLabels: {a: b}}\n  template:\n" + template, ""},
		{"ReplicaSet", head("apps/v1", "ReplicaSet") + "  selector: {matchLabels: {a: b}}\n  template:\n" + template, ""},
		{"DaemonSet", head("apps/v1", "DaemonSet") + "  selector: {matchLabels: {a: b}}\n  template:\n" + template, ""},
		{"StatefulSet", head("apps/v1", "StatefulSet") + "  selector: {matchLabels: {a: b}}\n  template:\n" + template, ""},
		{"StatefulSet", strings.Replace(head("apps/v1", "StatefulSet")+"  selector: {matchLabels: {a: b}}\n  template:\n"+template, "{name: cache, emptyDir: {}}, ", "", 1), ""}, // of a claim
		{"Job", head("batch/v1", "Job") + "  template:\n" + ends, ""},
		{"Job", head("batch/v1", "Job") + "  template:\n" + template, "restartPolicy \"\" is none for a Job"},
		{"CronJob", head("batch/v1", "CronJob") + "  schedule: '@daily'\n  jobTemplate:\n    spec:\n      template:\n" + strings.ReplaceAll("\n"+ends, "\n", "\n    "), ""},
		{"Deployment", head("apps/v1", "Deployment") + "  selector: {matchLabels: {a: c}}\n  template:\n" + template, "spec.selector does not match"},
		{"Deployment", head("apps/v1", "Deployment") + "  template:\n" + template, "spec.selector is absent"},
		{"Deployment", strings.Replace(head("apps/v1", "Deployment")+"  selector: {matchLabels: {a: b}}\n  template:\n"+template, "allowPrivilegeEscalation: false, ", "", 1), "allowPrivilegeEscalation != false"},
		{"ConfigMap", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\n", "makes no pod"},
		{"Deployment", head("extensions/v1beta1", "Deployment") + "  template:\n" + template, "serves no more since 1.16"},
	} {
		got := gradeText(t, "podSecurity", `{file: a.yaml, kind: `+test.kind+`, name: web, level: restricted, containers: {runAsUser: 1000}}`, map[string]string{"a.yaml": test.data})
		if got.Passed != (test.found == "") || !strings.Contains(got.Found, test.found) {
			t.Errorf("%s: %+v\n%s", test.kind, got, test.data)
		}
	}
}

func TestPodSecurityRefuses(t *testing.T) {
	t.Parallel()
	for with, want := range map[string]string{
		`{file: a}`:                                        `asks for nothing`,
		`{level: baseline}`:                                `no field "file"`,
		`{file: a, level: privileged}`:                     `no level that asks`,
		`{file: a, level: Restricted}`:                     `no level that asks`,
		`{file: a, level: baseline, version: 1.36}`:        `version is not a text`,
		`{file: a, level: baseline, version: "1.36"}`:      `must be`,
		`{file: a, container: {name: web}}`:                `nothing is asked`,
		`{file: a, container: {fields: {a: b}}}`:           `container has no name`,
		`{file: a, container: {name: web, emptyDirs: []}}`: `emptyDirs is an empty list`,
		`{file: a, containers: {"a[": 1}}`:                 `is no path`,
	} {
		_, err := parse([]byte(labWith("podSecurity", with)), fstest.MapFS{}, "test", labFile)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", with, err)
		}
	}
}
