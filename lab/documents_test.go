package lab

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// workIn is what graders see of a directory with these files.
func workIn(t *testing.T, files map[string]string) *work {
	t.Helper()
	dir := t.TempDir()
	for name, data := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = root.Close() })
	return &work{learner: newLearner(root), lab: &Lab{ID: "test"}, now: testNow}
}

// gradeIn grades these files.
func gradeIn(t *testing.T, l *Lab, files map[string]string) []CheckResult {
	t.Helper()
	w := workIn(t, files)
	w.lab = l
	result, err := l.grade(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	return result.Checks
}

const podYAML = "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec:\n  hostNetwork: yes\n"

func TestDocuments(t *testing.T) {
	t.Parallel()
	list := "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Pod, metadata: {name: a}}\n- {apiVersion: v1, kind: Service, metadata: {name: b, namespace: c}}\n"
	bomb := "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
	for _, name := range "bcdefghi" {
		before := string(name - 1)
		bomb += string(name) + ": &" + string(name) + " [" + strings.TrimSuffix(strings.Repeat("*"+before+", ", 10), ", ") + "]\n"
	}
	for _, test := range []struct{ name, data, want, found string }{
		{"one", podYAML, "Pod web", ""},
		{"several", "# nothing\n---\n" + podYAML + "---\n---\n" + podYAML, "Pod web, Pod web", ""},
		{"Windows", strings.ReplaceAll(podYAML+"---\n"+podYAML, "\n", "\r\n"), "Pod web, Pod web", ""},
		{"JSON", `{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "namespace": "x"}}`, "Pod x/web", ""},
		{"list", list, "Pod a, Service c/b", ""},
		{"JSON after JSON", `{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}}` + "\n" + `{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "b"}}`, "Pod a, Pod b", ""},
		{"flow style", "{apiVersion: v1, kind: Pod, metadata: {name: a}}\n---\n{apiVersion: v1, kind: Pod, metadata: {name: b}}\n", "Pod a, Pod b", ""},
		{"list of a kind", "apiVersion: v1\nkind: PodList\nitems:\n- {metadata: {name: a}}\n- {apiVersion: v1, kind: Pod, metadata: {name: b}}\n", "Pod a, Pod b", ""},
		{"lists of lists", strings.Repeat(`{"apiVersion": "v1", "kind": "List", "items": [`, 4000) + strings.Repeat("]}", 4000), "", "lists in lists"},
		{"JSON with tabs", "{\n\t\"apiVersion\": \"v1\",\n\t\"kind\": \"Pod\",\n\t\"metadata\": {\"name\": \"web\"}\n}\n", "Pod web", ""},
		{"byte order mark", "\uFEFF" + podYAML, "Pod web", ""},
		{"tabs", "apiVersion: v1\nkind: Pod\nmetadata:\n\tname: web\n", "", "there are tabs in it"},
		{"second document", podYAML + "---\na: b: c\n", "", "is not valid YAML: document 2, mapping values"},
		{"empty", "", "", "is empty"},
		{"comments", "# nothing\n", "", "no object"},
		{"binary", "\x7fELF\x00\x01\x02", "", "is not valid YAML"},
		{"half", "apiVersion: v1\nkind: Pod\nmetadata: {name: we", "", "is not valid YAML"},
		{"bomb", bomb, "", "excessive aliasing"},
		{"template", strings.Replace(podYAML, "web", "{{ .Values.name }}", 1), "", "is a template"},
		{"text", "just a text\n", "", "no object of Kubernetes: there is a text where a mapping belongs"},
		{"no kind", "metadata: {name: web}\n", "", "no apiVersion and kind"},
		{"twice", podYAML + "  hostNetwork: no\n", "", "has hostNetwork twice in one mapping, in line 6"},
		{"twice in JSON", `{"apiVersion": "v1", "kind": "Pod", "kind": "Pod"}`, "", "has kind twice"},
		{"deep", strings.Repeat("[", 200_000), "", "is not valid YAML"},
		{"huge", strings.Repeat("#", maxManifest+1), "", "is larger than"},
		{"many", strings.Repeat("---\n{apiVersion: v1, kind: Pod}\n", maxDocuments+1), "", "more than"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			docs, found := workIn(t, map[string]string{"f.yaml": test.data}).documents("f.yaml")
			var names []string
			for _, doc := range docs {
				names = append(names, doc.String())
			}
			if got := strings.Join(names, ", "); got != test.want {
				t.Errorf("objects %q, want %q", got, test.want)
			}
			if (test.found == "") != (found == "") || !strings.Contains(found, test.found) {
				t.Errorf("found %q, want %q", found, test.found)
			}
		})
	}
}

func TestDecodeAs(t *testing.T) {
	t.Parallel()
	decodePod := func(data string) (*corev1.Pod, string) {
		docs, found := workIn(t, map[string]string{"f.yaml": data}).documents("f.yaml")
		if found != "" {
			t.Fatal(found)
		}
		return decodeAs[corev1.Pod](docs[0])
	}
	pod, found := decodePod(podYAML)
	if found != "" || !pod.Spec.HostNetwork { // yes is true to kubectl, too
		t.Errorf("found %q, %+v", found, pod)
	}
	// As kubectl get -o yaml prints it, and kubectl run --dry-run=client.
	live := strings.Replace(podYAML, "{name: web}", "{name: web, uid: 3f0e8d8c, resourceVersion: '7', generation: 1, creationTimestamp: null,\n"+
		"  managedFields: [{apiVersion: v1, fieldsType: FieldsV1, fieldsV1: {'f:spec': {}}, manager: kubectl, operation: Update, time: '2026-01-01T00:00:00Z'}]}", 1)
	for _, status := range []string{"status: {}\n", "status: {phase: Running, qosClass: BestEffort, hostIP: 10.0.0.1, observedGeneration: 1}\n"} {
		if _, found := decodePod(live + status); found != "" {
			t.Errorf("%sfound %q", status, found)
		}
	}
	for field, want := range map[string]string{
		"hostnetwork: true":                 `unknown field "spec.hostnetwork"`,
		"hostPID: please":                   "spec.hostPID: there is a text where true or false belongs, and what has quotes around it is a text",
		"securityContext: {runAsUser: web}": "spec.securityContext.runAsUser: there is a text where a number belongs",
		"nodeName: 7":                       "spec.nodeName: there is a number where a text belongs: put it in quotes",
		"volumes: {name: a}":                "spec.volumes: there is a mapping where a list belongs",
		"securityContext: [a]":              "spec.securityContext: there is a list where a mapping belongs",
		"overhead: {memory: 64MiB}":         "an amount is none of Kubernetes'",
	} {
		if _, found := decodePod(podYAML + "  " + field + "\n"); !strings.Contains(found, want) {
			t.Errorf("found %q, want %q", found, want)
		}
	}
}
