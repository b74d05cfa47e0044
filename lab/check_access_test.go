package lab

import (
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/pkictl/pkictl/internal/failure"
)

// TestAccessChecksRefuse: what a lab.yaml says of these checks and is not understood is
// an error that names the line.
func TestAccessChecksRefuse(t *testing.T) {
	t.Parallel()
	who := "as: {user: jane}, allowed: [{verbs: get, resources: pods}]"
	hidden := fstest.MapFS{
		"hidden/pod.yaml": {Data: []byte("apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: b}\n")},
		"hidden/bad.yaml": {Data: []byte("apiVersion: v1\nkind: Pod\n")}, "hidden/far.yaml": {Data: []byte("apiVersion: v1\nkind: Service\nmetadata: {name: b/proxy, namespace: a}\n")}, "hidden/twice.yaml": {Data: []byte("kind: Pod\nkind: Pod\n")},
	}
	for _, test := range []struct{ kind, with, want, hint string }{
		{"canI", "{" + who + "}", "", ""},
		{"canI", "{allowed: [{verbs: get, resources: pods}]}", "does not say who", "as: {user"},
		{"canI", "{as: {user: jane}}", "asks for nothing", "allowed"},
		{"canI", "{as: {user: jane, serviceAccount: a/b}, denied: [{verbs: get, resources: pods}]}", "does not name one", ""},
		{"canI", "{as: {groups: a, kubeconfig: a.conf}, denied: [{verbs: get, resources: pods}]}", "does not name one", ""},
		{"canI", "{as: {serviceAccount: jane}, denied: [{verbs: get, resources: pods}]}", "names no service account", "NAMESPACE/NAME"},
		{"canI", "{as: {kubeconfig: ../a.conf}, denied: [{verbs: get, resources: pods}]}", "no file in the workspace", ""},
		{"canI", "{as: {user: jane}, allowed: []}", "not a list", ""},
		{"canI", "{as: {user: jane}, allowed: [{verbs: get}]}", "needs verbs, and resources or paths", ""},
		{"canI", "{as: {user: jane}, allowed: [{verbs: get, resources: pods, paths: /metrics}]}", "needs verbs, and resources or paths", ""},
		{"canI", "{as: {user: jane}, allowed: [{verb: get, resources: pods}]}", "unknown field", "did you mean verbs?"},
		{"canI", "{" + who + ", also: [{denied: [{verbs: get, resources: pods}]}]}", "does not say who", ""},
		{"canI", "{as: {user: jane}, denied: [{verbs: get, resources: pods, names: [" + strings.Join(numbers(301), ", ") + "]}]}", "more than 300", ""},

		{"object", "{apiVersion: v1, resource: pods, name: a, fields: {spec.a: 1}}", "", ""},
		{"object", "{resource: pods}", "lacks apiVersion or resource", ""},
		{"object", "{apiVersion: v1, resource: pods, absent: true}", "asks for the absence of nothing", ""},
		{"object", "{apiVersion: v1, resource: pods, name: a, absent: false}", "absent is false", ""},
		{"object", "{apiVersion: v1, resource: pods, name: a, absent: true, fields: {a: 1}}", "asks for the absence of nothing", ""},
		{"object", "{apiVersion: v1, resource: services, namespace: a, name: b/proxy}", "a name that is none", ""},
		{"object", "{apiVersion: ../api/v1, resource: services, namespace: a, name: b}", "a name that is none", ""},
		{"object", "{apiVersion: v1, kind: Pod}", "unknown field", ""},

		{"kubeconfig", "{file: a.conf, current: a}", "", ""},
		{"kubeconfig", "{file: a.conf}", "asks for nothing", ""},
		{"kubeconfig", "{current: a}", `no field "file"`, ""},
		{"kubeconfig", "{file: a.conf, reaches: false}", "reaches is false", ""},
		{"kubeconfig", "{file: a.conf, logsIn: {groups: a}}", "names no user", ""},
		{"kubeconfig", "{file: a.conf, contexts: []}", "empty list", ""},

		{"admission", "{denied: [{create: pod.yaml, text: a pod}], message: no}", "", ""},
		{"admission", "{denied: [{patch: pod.yaml, subresource: proxy, text: a pod}], message: no}", "a name that is none", ""},
		{"admission", "{denied: [{patch: far.yaml, text: a service}], message: no}", "a name that is none", ""},
		{"admission", "{message: no}", "asks for nothing", ""},
		{"admission", "{denied: [{create: pod.yaml, text: a pod}]}", "does not say by what message", ""},
		{"admission", "{admitted: [{create: pod.yaml}]}", "needs a text", ""},
		{"admission", "{admitted: [{create: pod.yaml, patch: pod.yaml, text: a}]}", "create or patch", ""},
		{"admission", "{admitted: [{create: pod.yaml, subresource: status, text: a}]}", "create or patch", ""},
		{"admission", "{admitted: [{create: none.yaml, text: a}]}", "none.yaml", ""},
		{"admission", "{admitted: [{create: ../lab.yaml, text: a}]}", "no such file", ""},
		{"admission", "{admitted: [{create: bad.yaml, text: a}]}", "no object with kind and name", ""},
		{"admission", "{admitted: [{create: twice.yaml, text: a}]}", "already", ""},
		{"admission", "{admitted: [{create: pod.yaml, text: a}], webhook: {service: a, certificate: c, key: k, registry: r}}", "not complete", ""},
		{"admission", "{admitted: [{create: pod.yaml, text: a}], webhook: {service: a/b, certificate: c, key: k}}", "not complete", "registry"},
	} {
		t.Run(test.kind+" "+test.with, func(t *testing.T) {
			t.Parallel()
			text := strings.Replace(goodLab, "kind: certificate, points: 2, task: 1, with: {file: a.crt, ca: true}",
				"kind: "+test.kind+", points: 2, task: 1, with: "+test.with, 1)
			_, err := parse([]byte(text), hidden, "test", "lab.yaml")
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want) ||
				!strings.Contains(err.Error(), "line 12") || !strings.Contains(failure.HintOf(err), test.hint)) {
				t.Errorf("%v\nhint %q\nwant %q and %q", err, failure.HintOf(err), test.want, test.hint)
			}
			_, err = parse([]byte(strings.Replace(text, "needs: [cluster]\n", "", 1)), hidden, "test", "lab.yaml")
			if err == nil && !strings.Contains(test.with, "current: a") {
				t.Error("a lab without a cluster has it")
			}
		})
	}
}

func numbers(count int) []string {
	var list []string
	for i := range count {
		list = append(list, "n"+strings.Repeat("0", i))
	}
	return list
}

// TestKubeconfigOffline: what is no usable kubeconfig is said before anybody is called.
func TestKubeconfigOffline(t *testing.T) {
	t.Parallel()
	p := newPKI(t)
	const good = "apiVersion: v1\nkind: Config\ncurrent-context: a\ncontexts: [{name: a, context: {cluster: c, user: u}}]\nclusters: [{name: c, cluster: {server: https://127.0.0.1:1}}]\nusers: [{name: u, user: {}}]\n"
	for _, test := range []struct{ name, with, data, found string }{
		{"good", "{file: a, current: a}", good, ""},
		{"JSON", "{file: a, current: a}", `{"current-context": "a", "contexts": [{"name": "a", "context": {"cluster": "c", "user": "u"}}], "clusters": [{"name": "c", "cluster": {}}], "users": [{"name": "u", "user": {}}]}`, ""},
		{"Windows", "{file: a, current: a}", strings.ReplaceAll(good, "\n", "\r\n"), ""},
		{"other current", "{file: a, context: a, current: b}", good, "current-context: a"},
		{"none current", "{file: a, context: a, current: b}", strings.Replace(good, "current-context: a\n", "", 1), "no current-context"},
		{"none current, and none named", "{file: a, namespace: b}", strings.Replace(good, "current-context: a\n", "", 1), "a has no current-context"},
		{"another context", "{file: a, context: b, namespace: b}", good, `a has no context "b"`},
		{"contexts", "{file: a, contexts: [b, a]}", good, "the contexts a"},
		{"no namespace", "{file: a, namespace: shop}", good, "no namespace"},
		{"not embedded", "{file: a, embedded: true}", good, "no certificate-authority-data"},
		{"no cluster of that name", "{file: a, current: a}", strings.Replace(good, "{name: c,", "{name: d,", 1), `names the cluster "c"`},
		{"no user of that name", "{file: a, current: a}", strings.Replace(good, "{name: u,", "{name: d,", 1), `names the user "u"`},
		{"a file elsewhere", "{file: a, current: a}", strings.Replace(good, "user: {}", "user: {client-key: /etc/passwd}", 1), "outside of the workspace"},
		{"a file above", "{file: a, current: a}", strings.Replace(good, "user: {}", "user: {client-key: ../../etc/passwd}", 1), "outside of the workspace"},
		{"a file that is missing", "{file: a, current: a}", strings.Replace(good, "user: {}", "user: {client-key: no.key}", 1), "no file no.key"},
		{"no file", "{file: b, current: a}", good, "no file b"},
		{"empty", "{file: a, current: a}", "", "is empty"},
		{"binary", "{file: a, current: a}", "\x00\x01\x02\xff", "a"},
		{"half-written", "{file: a, current: a}", good[:len(good)-9], "a"},
		{"a template", "{file: a, current: a}", "{{ .Values.kubeconfig }}", "a"},
		{"something else", "{file: a, current: a}", "apiVersion: v1\nkind: Pod\n", "a"},
		{"a list", "{file: a, current: a}", "- a\n- b\n", "a"},
		{"a bomb", "{file: a, current: a}", "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e]\ng: [*f,*f,*f,*f,*f,*f,*f,*f]\n", "a"},
		{"huge", "{file: a, current: a}", good + strings.Repeat("#", 300<<10), "larger than 256 KiB"},
		{"without a cluster", "{file: a, reaches: true}", good, "the lab's cluster is not there"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := gradeOne(t, "kubeconfig", test.with, map[string][]byte{"a": []byte(test.data)}, p.caCert)
			if r.Passed != (test.found == "") || !strings.Contains(r.Found, test.found) || r.Wanted == "" {
				t.Errorf("passed %v\nwanted %q\nfound %q, want %q", r.Passed, r.Wanted, r.Found, test.found)
			}
			if test.name != "good" && strings.Contains(r.Found, "x,x") {
				t.Errorf("it shows the file: %q", r.Found)
			}
		})
	}
}

// TestKubeconfigNamesFile: a file that a kubeconfig names is read below the workspace,
// relative to itself or by its full path, and through no link out of it.
func TestKubeconfigNamesFile(t *testing.T) {
	t.Parallel()
	dir, outside := t.TempDir(), t.TempDir()
	for _, name := range []string{dir + "/kube", dir + "/pki"} {
		if err := os.Mkdir(name, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string]string{dir + "/pki/ca.crt": "inside", outside + "/secret": "outside"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(outside+"/secret", dir+"/pki/link"); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	w := &work{learner: newLearner(root)}
	for name, want := range map[string]string{
		"../pki/ca.crt": "", dir + "/pki/ca.crt": "", "../pki/link": "leads out", dir + "/pki/link": "leads out",
		outside + "/secret": "outside", "../../secret": "outside", "ca.crt": "no file kube/ca.crt", "../pki": "is a directory",
	} {
		data, found := w.namedFile("kube/a.conf", name)
		if want == "" && string(data) != "inside" || !strings.Contains(found, want) || (found == "") != (want == "") {
			t.Errorf("%s: %q %q, want %q", name, data, found, want)
		}
	}
}
