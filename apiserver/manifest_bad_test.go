package apiserver

import (
	"strings"
	"testing"

	"github.com/pkictl/pkictl/internal/failure"
)

const smallPod = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  containers:\n  - name: kube-apiserver\n"

// TestParseManifestBad reads what is no manifest of kube-apiserver, or none that
// is edited.
func TestParseManifestBad(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, text, says, hint string }{
		{"empty", "", `"m.yaml" is empty`, "static pod"},
		{"comments", "# nothing\n", `is empty`, "static pod"},
		{"null", "null\n", "is empty", "static pod"},
		{"list", "- a\n", "line 1, column 1: it is no Pod", "static pod"},
		{"no kind", "a: b\n", "neither apiVersion nor kind", "static pod"},
		{"Deployment", "apiVersion: apps/v1\nkind: Deployment\nspec: {}\n", `is a Deployment and not a Pod`, "static pod"},
		{"PodList", "apiVersion: v1\nkind: PodList\nitems: []\n", "is a PodList", "a file of its own"},
		{"Pod of v2", "apiVersion: v2\nkind: Pod\n", `apiVersion "v2"`, "apiVersion: v1"},
		{"no containers", "apiVersion: v1\nkind: Pod\nspec: {}\n", "without containers", "static pod"},
		{"no spec", "apiVersion: v1\nkind: Pod\n", "without containers", "static pod"},
		{"other pod", "apiVersion: v1\nkind: Pod\nspec: {containers: [{name: etcd, command: [etcd]}]}\n", `runs no kube-apiserver: its containers are "etcd"`, "static pod"},
		{"two documents", smallPod + "    command: [kube-apiserver]\n---\na: b\n", "a second document", "file of its own"},
		{"tab", "apiVersion: v1\n\tkind: Pod\n", "not valid YAML", "tabs"},
		{"alias", smallPod + "    command: &c [kube-apiserver]\n    args: *c\n", `alias "*c"`, "write the value out"},
		{"twice", smallPod + "    command: [kube-apiserver]\n    command: [kube-apiserver]\n", `line 8, column 5: "command" stands here again, after line 7`, "keep the one"},
		{"shell", smallPod + "    command: [/bin/sh, -c, exec kube-apiserver --a=b]\n", "run by /bin/sh", "one flag in each item"},
		{"other program", smallPod + "    command: [hyperkube, apiserver]\n", `"hyperkube" does not run kube-apiserver`, "static pod"},
		{"no command", smallPod, "neither command nor args", "command:"},
		{"number", smallPod + "    command: [kube-apiserver, -v, 4]\n", "line 7, column 35: 4 is no text", "quotes"},
		{"yes", smallPod + "    command: [kube-apiserver, --x, on]\n", "on is no text", "quotes"},
		{"end of flags", smallPod + "    command: [kube-apiserver, --]\n", "behind --", "take it out"},
		{"byte order mark", "\xef\xbb\xbf" + smallPod, "byte order mark", "UTF-8"},
		{"twins", smallPod + "    command: [kube-apiserver]\n  - name: kube-apiserver\n    command: [x]\n", "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := ParseManifest("m.yaml", []byte(test.text))
			if test.says == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil || failure.KindOf(err) != failure.Usage || !strings.Contains(err.Error(), test.says) || !strings.Contains(failure.HintOf(err), test.hint) {
				t.Errorf("%v\nhint: %s", err, failure.HintOf(err))
			}
		})
	}
}

func parsed(t *testing.T, text string) *Manifest {
	t.Helper()
	m, err := ParseManifest("m.yaml", []byte(text))
	if err != nil {
		t.Fatal(err, failure.HintOf(err))
	}
	return m
}

func TestManifestFlags(t *testing.T) {
	t.Parallel()
	m := parsed(t, smallPod+`    image: example.com/kube-apiserver:v1.36.3
    command:
    - /usr/bin/kube-apiserver
    - --etcd-servers=https://a
    - --event-ttl
    - 2h
    - --profiling
    - --audit_log_path
    - "-"
    - -v4
    args: [--etcd-servers, "https://b,https://c", --event-ttl=3h, -v, "5", --no-such, x, --allow-privileged=true]
`)
	var all []string
	for _, f := range m.Flags() {
		twice := ""
		if f.Repeated {
			twice = " again"
		}
		all = append(all, f.Name+"="+f.Value+twice)
	}
	want := "etcd-servers=https://a again event-ttl=2h again profiling=true audit-log-path=- v=4 again etcd-servers=https://b,https://c again " +
		"event-ttl=3h again v=5 again no-such=x allow-privileged=true"
	if got := strings.Join(all, " "); got != want {
		t.Errorf("the flags are\n%s, want\n%s", got, want)
	}
	if line := m.Flags()[1].Line; line != 11 {
		t.Errorf("--event-ttl is in line %d", line)
	}
	for name, want := range map[string]string{"etcd-servers": "https://a,https://b,https://c", "event-ttl": "3h", "v": "5"} {
		if got, found := m.Value(name); got != want || !found {
			t.Errorf("--%s is %q, %v", name, got, found)
		}
	}
	if _, found := m.Value("audit-policy-file"); found {
		t.Error("it has a flag that is not there")
	}
}

func TestManifestVersion(t *testing.T) {
	t.Parallel()
	for image, want := range map[string]string{
		"example.com/kube-apiserver:v1.36.3": "v1.36.3", "host:5000/kube-apiserver:v1.35.0@sha256:0123": "v1.35.0",
		"host:5000/kube-apiserver": "", "kube-apiserver:latest": "", "kube-apiserver@sha256:0123": "", "''": "", "a:v1.34.1-eks-1": "v1.34.1-eks-1",
	} {
		if got := parsed(t, smallPod+"    command: [kube-apiserver]\n    image: "+image+"\n").Version(); got != want {
			t.Errorf("%s: version %q, want %q", image, got, want)
		}
	}
}

// TestApplyMore makes changes that are refused, or that take something out.
func TestApplyMore(t *testing.T) {
	t.Parallel()
	flow := smallPod + "    command: [kube-apiserver, --a=b, '--c', d, --e]\n"
	for _, test := range []struct {
		name, text string
		change     Change
		says, want string // an error, or what the text has then
	}{
		{"remove in a line", flow, Change{Remove: []string{"c"}}, "", "[kube-apiserver, --a=b, --e]"},
		{"remove the last", flow, Change{Remove: []string{"e"}}, "", "[kube-apiserver, --a=b, '--c', d]"},
		{"remove and add", flow, Change{Remove: []string{"e"}, Set: []Flag{{Name: "f", Value: "g,h"}}}, "", "[kube-apiserver, --a=b, '--c', d, '--f=g,h']"},
		{"remove and set again", flow, Change{Remove: []string{"c"}, Set: []Flag{{Name: "c", Value: "x"}}}, "", "--a=b, --e, --c=x]"},
		{"remove lines", smallPod + "    command:\n    - kube-apiserver\n    # why\n    - --a=b\n    # and\n    - --c=d\n", Change{Remove: []string{"a"}}, "", "    - kube-apiserver\n    # why\n    # and\n    - --c=d\n"},
		{"remove what is not there", flow, Change{Remove: []string{"x"}}, "", flow},
		{"remove all of a list", smallPod + "    command: [kube-apiserver]\n    args:\n    - --a=b\n", Change{Remove: []string{"a"}}, "has a form that pkictl does not edit", ""},
		{"a switch", smallPod + "    command: [kube-apiserver, --profiling, --x]\n", Change{Set: []Flag{{Name: "profiling", Value: "false"}}}, "", "[kube-apiserver, --profiling=false, --x]"},
		{"shorthand", smallPod + "    command: [kube-apiserver, -v4]\n", Change{Set: []Flag{{Name: "v", Value: "2"}}}, "", "[kube-apiserver, -v=2]"},
		{"quotes", smallPod + "    command: [kube-apiserver, --a]\n", Change{Set: []Flag{{Name: "x", Value: `it's: "a" # b`}}}, "", `, '--x=it''s: "a" # b']`},
		{"a line end in a value", smallPod + "    command: [kube-apiserver, --a]\n", Change{Set: []Flag{{Name: "x", Value: "a\nb"}}}, "", `"--x=a\nb"]`},
		{"words in two lines", smallPod + "    command: [kube-apiserver, \"--a=b\n      c\", --d]\n", Change{Set: []Flag{{Name: "a", Value: "x"}}}, "has a form that pkictl does not edit", ""},
		{"another volume there", smallPod + "    command: [kube-apiserver]\n    volumeMounts: [{name: x, mountPath: /srv/a}]\n  volumes: [{name: x, emptyDir: {}}]\n",
			Change{Volumes: []Volume{{Name: "n", Path: "/srv/a", Type: HostPathFile}}}, `volume "x", which is not a path of the host, is mounted at "/srv/a"`, ""},
		{"below another volume", smallPod + "    command: [kube-apiserver]\n    volumeMounts: [{name: x, mountPath: /srv}]\n  volumes: [{name: x, emptyDir: {}}]\n",
			Change{Volumes: []Volume{{Name: "x", Path: "/srv/a", Type: HostPathFile}}}, "", `[{"mountPath": "/srv/a", "name": "x-2"}, {name: x,`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := parsed(t, test.text).Apply(test.change)
			switch {
			case test.says != "" && (err == nil || !strings.Contains(err.Error(), test.says) || failure.HintOf(err) == ""):
				t.Errorf("%v\n%s", err, got)
			case test.says == "" && (err != nil || !strings.Contains(string(got), test.want)):
				t.Errorf("%v\n%s", err, got)
			}
		})
	}
}
