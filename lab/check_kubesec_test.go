package lab

import (
	"bufio"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// TestKubesec holds the score against kubesec 2.14.2's own of manifests that were made
// at random (the rules of its package pkg/ruler, each by its Eval).
func TestKubesec(t *testing.T) {
	t.Parallel()
	f, err := os.Open("testdata/kubesec-2.14.2.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	seen := map[string]int{}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var want struct {
			Object json.RawMessage
			Rules  []string
			Score  int
		}
		if err := json.Unmarshal(lines.Bytes(), &want); err != nil {
			t.Fatal(err)
		}
		w := workIn(t, map[string]string{"a.json": string(want.Object)})
		docs, found := w.documents("a.json")
		if found != "" {
			t.Fatal(found)
		}
		score, found := docs[0].kubesec()
		if found != "" {
			t.Fatalf("%s\n%s", found, want.Object)
		}
		var ids []string
		for _, rule := range append(slices.Clone(score.passed), score.critical...) {
			ids = append(ids, rule.id)
			seen[rule.id]++
		}
		slices.Sort(ids)
		slices.Sort(want.Rules)
		if score.points != want.Score || !slices.Equal(ids, want.Rules) {
			t.Errorf("%d points for %v, kubesec says %d for %v\n%s", score.points, ids, want.Score, want.Rules, want.Object)
		}
	}
	for _, rule := range kubesecRules() {
		if seen[rule.id] < 5 {
			t.Errorf("rule %s was met %d times only", rule.id, seen[rule.id])
		}
	}
}

func TestKubesecCheck(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, with, data, found string }{
		{"score", `kind: Pod, score: 2`, webPod, ""},
		{"too low", `kind: Pod, score: 5`, webPod, "4 points; it could gain 3 by ServiceAccountName, 1 by"},
		{"rules", `kind: Pod, meets: [CapDropAll, CapDropAny]`, webPod, ""},
		{"not met", `kind: Pod, meets: [RunAsUser]`, webPod, "no container has that"},
		{"not critical", `kind: Pod, noCritical: true`, webPod, ""},
		{"critical", `kind: Pod, noCritical: true`, strings.Replace(webPod, "hostNetwork: false", "hostNetwork: true", 1), ".spec .hostNetwork == true (-9)"},
		{"kind", `kind: ConfigMap, score: 1`, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n", "of no kind that kubesec supports"},
		{"misspelt", `kind: Pod, score: 1`, strings.Replace(webPod, "privileged", "priviledged", 1), "unknown field"},
		{"none", `kind: Deployment, score: 1`, webPod, "a.yaml has Pod web only"},
		{"empty", `kind: Deployment, score: 1`, "", "is empty"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := gradeText(t, "kubesec", `{file: a.yaml, `+test.with+`}`, map[string]string{"a.yaml": test.data})
			if got.Passed != (test.found == "") || !strings.Contains(got.Found, test.found) || got.Wanted == "" {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestKubesecRefuses(t *testing.T) {
	t.Parallel()
	for with, want := range map[string]string{
		`{file: a, score: 1}`:                      `no field "kind"`,
		`{file: a, kind: Pod}`:                     `asks for nothing`,
		`{file: a, kind: Pod, score: -1}`:          `no such number`,
		`{file: a, kind: Pod, noCritical: false}`:  `noCritical is false`,
		`{file: a, kind: Pod, meets: [RunAsRoot]}`: `no rule "RunAsRoot"`,
	} {
		_, err := parse([]byte(labWith("kubesec", with)), fstest.MapFS{}, "test", labFile)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", with, err)
		}
	}
}
