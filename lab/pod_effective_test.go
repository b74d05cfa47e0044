package lab

import (
	"bufio"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	corev1 "k8s.io/api/core/v1"
)

// TestSecurityOf holds what a container ends up with against the kubelet's own
// function, of pods that were made at random (k8s.io/kubernetes v1.36.3,
// pkg/securitycontext: DetermineEffectiveSecurityContext).
func TestSecurityOf(t *testing.T) {
	t.Parallel()
	f, err := os.Open("testdata/security-context-1.36.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	count := 0
	for lines := bufio.NewScanner(f); lines.Scan(); count++ {
		var want struct {
			Spec      corev1.PodSpec
			Effective json.RawMessage
		}
		if err := json.Unmarshal(lines.Bytes(), &want); err != nil {
			t.Fatal(err)
		}
		pod := &podTemplate{PodSpec: want.Spec}
		is, err := json.Marshal(pod.securityOf(want.Spec.Containers[0]))
		if err != nil || string(is) != string(want.Effective) {
			t.Errorf("%s, want %s (%v)\n%s", is, want.Effective, err, lines.Text())
		}
	}
	if count < 50 {
		t.Errorf("%d cases only", count)
	}
}

// TestCapabilitiesOf: as containerd applies the lists.
func TestCapabilitiesOf(t *testing.T) {
	t.Parallel()
	without := func(drop ...string) []string {
		return slices.DeleteFunc(runtimeCapabilities(), func(name string) bool { return slices.Contains(drop, name) })
	}
	for _, test := range []struct {
		add, drop  []corev1.Capability
		privileged bool
		want       []string
	}{
		{nil, nil, false, runtimeCapabilities()},
		{[]corev1.Capability{"SYS_TIME"}, []corev1.Capability{"CHOWN"}, false, append(without("CHOWN"), "SYS_TIME")},
		{[]corev1.Capability{"sys_time"}, []corev1.Capability{"chown"}, false, append(without("CHOWN"), "SYS_TIME")},
		{nil, []corev1.Capability{"ALL"}, false, []string{}},
		{nil, []corev1.Capability{"all"}, false, []string{}},
		{[]corev1.Capability{"NET_BIND_SERVICE"}, []corev1.Capability{"ALL"}, false, []string{"NET_BIND_SERVICE"}},
		{[]corev1.Capability{"NET_BIND_SERVICE", "NET_BIND_SERVICE"}, []corev1.Capability{"ALL"}, false, []string{"NET_BIND_SERVICE"}},
		{[]corev1.Capability{"KILL"}, []corev1.Capability{"ALL", "KILL"}, false, []string{}},
		{[]corev1.Capability{"KILL"}, []corev1.Capability{"KILL"}, false, without("KILL")},
		{[]corev1.Capability{"ALL"}, nil, false, linuxCapabilities()},
		{[]corev1.Capability{"ALL"}, []corev1.Capability{"ALL"}, false, []string{}},
		{[]corev1.Capability{"ALL", "KILL"}, []corev1.Capability{"ALL"}, false, []string{"KILL"}},
		{nil, []corev1.Capability{"ALL"}, true, linuxCapabilities()},
	} {
		slices.Sort(test.want)
		if is := capabilitiesOf(&corev1.Capabilities{Add: test.add, Drop: test.drop}, test.privileged); !slices.Equal(is, test.want) {
			t.Errorf("add %v drop %v: %v, want %v", test.add, test.drop, is, test.want)
		}
	}
	if is := capabilitiesOf(nil, false); !slices.Equal(is, runtimeCapabilities()) {
		t.Error(is)
	}
	if len(linuxCapabilities()) != 41 || !slices.IsSorted(linuxCapabilities()) || !slices.IsSorted(runtimeCapabilities()) {
		t.Error("the lists are not in order")
	}
}

// FuzzPod: whatever a learner writes, the checks of pods say what was found.
func FuzzPod(f *testing.F) {
	f.Add(restrictedPod)
	f.Add(webPod)
	f.Add(serverPod)
	f.Add(strings.Replace(restrictedPod, "name: web", "name: {{ .Name }}", 1))
	f.Add("apiVersion: apps/v1\nkind: StatefulSet\nspec: {template: {spec: {containers: [null]}}}\n")
	checks := map[string]string{
		"podSecurity": `{file: a.yaml, level: restricted, containers: {root: false}, pod: {hostPID: {not: true}}, container: {name: web, emptyDirs: [/run]}}`,
		"kubesec":     `{file: a.yaml, kind: Pod, score: 3, noCritical: true}`,
		"manifest":    `{file: a.yaml, kind: Pod, fields: {"spec.containers[*].image": nginx}}`,
		"staticPod":   `{file: a.yaml, component: kube-apiserver, flags: {a: b}, files: {c: {host: /d}}}`,
	}
	var labs []*Lab
	for kind, with := range checks {
		l, err := parse([]byte(labWith(kind, with)), fstest.MapFS{}, "test", labFile)
		if err != nil {
			f.Fatal(err)
		}
		labs = append(labs, l)
	}
	f.Fuzz(func(t *testing.T, data string) {
		w := workIn(t, map[string]string{"a.yaml": data})
		for _, l := range labs {
			result, err := l.grade(t.Context(), w)
			if err != nil || result.Checks[0].Wanted == "" || result.Checks[0].Found == "" {
				t.Errorf("%+v %v", result, err)
			}
		}
	})
}
