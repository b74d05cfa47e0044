package audit

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// someText returns a policy with all kinds of slips in it, each of its words being
// right or wrong.
func someText(r *rand.Rand) string {
	tidy := r.IntN(2) == 0 // few slips, so that it is accepted now and then
	one := func(words ...string) string {
		if tidy && r.IntN(20) > 0 {
			return words[0]
		}
		return words[r.IntN(len(words))]
	}
	value := func() string {
		return one("get", "GET", "post", "'*'", "pods", "pod", "po", "pods/exec", "pods/*", "Secrets", "secrets", `""`, `" "`, "core", "apps", "apps/v1", "v1", "1", "yes", "null", "~", "a b",
			"/healthz", "'/a*'", "2001-01-01", "'on'", "None", "metadata", "RequestReceived", "panic", "[x]", "{a: b}", "&n n", "!!str 3", "deletecollection", "system:nodes")
	}
	list := func() string {
		if !tidy && r.IntN(5) == 0 {
			return value()
		}
		var values []string
		for range r.IntN(4) {
			values = append(values, value())
		}
		return "[" + strings.Join(values, ", ") + "]"
	}
	var b strings.Builder
	b.WriteString(one("", "", "# a comment\n", "---\n"))
	b.WriteString("apiVersion: audit.k8s.io/" + one("v1", "v1", "v1", "v1", "v1beta1", "v2") + "\nkind: " + one("Policy", "Policy", "Policy", "policy", "Event") + "\n")
	b.WriteString(one("", "omitStages: [RequestReceived]\n", "omitStages: "+list()+"\n", "omitStage: []\n", "metadata: {name: a}\n"))
	b.WriteString("rules:\n")
	for range r.IntN(4) {
		b.WriteString("- " + one("level", "level", "level", "level", "Level", "levels") + ": " + one("None", "Metadata", "Request", "RequestResponse", "metadata", value()) + " # why\n")
		for range r.IntN(4) {
			field := one("users", "userGroups", "verbs", "namespaces", "nonResourceURLs", "omitStages", "user", "groups", "verb", "namespace", "Verbs", "omitManagedFields", "other")
			b.WriteString("  " + field + ": " + list() + "\n")
		}
		if r.IntN(2) == 0 {
			continue
		}
		b.WriteString("  " + one("resources", "resources", "resources", "resource") + ":\n")
		for range 1 + r.IntN(2) {
			b.WriteString("  - " + one("group", "group", "groups", "apiGroups") + ": " + value() + "\n")
			b.WriteString(one("", "    resources: "+list()+"\n", "    resource: "+list()+"\n", "    resources: "+list()+"\n    resourceNames: "+list()+"\n", "    resourceName: "+list()+"\n"))
		}
	}
	text := b.String() + one("", "", "", "---\nx: y\n", "rules: []\n")
	if r.IntN(5) == 0 {
		text = strings.ReplaceAll(text, "\n", "\r\n")
	}
	return text
}

// TestLintAgrees: whatever slips are in a policy, what is found agrees with
// kube-apiserver's own code, and mending it makes none worse.
func TestLintAgrees(t *testing.T) {
	t.Parallel()
	accepted, mended, precise := 0, 0, 0
	const policies = 300
	for seed := range uint64(policies) {
		data := []byte(someText(rand.New(rand.NewPCG(seed, 3))))
		findings, err := Lint("audit.yaml", data)
		if err != nil {
			precise++
			continue
		}
		checkAgreement(t, data, findings)
		fixed, done, err := Fix("audit.yaml", data)
		if err != nil {
			t.Fatal(err)
		}
		checkFix(t, data, fixed)
		if isAccepted(data) {
			accepted++
		}
		if len(done) > 0 {
			mended++
		}
		if !strings.Contains(places(findings), "refused") && !strings.Contains(places(findings), "not-strict") {
			precise++
		}
		if t.Failed() {
			t.Fatalf("policy %d:\n%s\nmended:\n%s", seed, data, fixed)
		}
	}
	if accepted < policies/20 || mended < policies/3 || precise != policies {
		t.Errorf("of %d policies %d were accepted, %d mended; of %d each finding has its place", policies, accepted, mended, precise)
	}
}
