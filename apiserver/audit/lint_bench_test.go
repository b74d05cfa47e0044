package audit

import (
	"fmt"
	"strings"
	"testing"
)

// manyRules returns a policy of n rules that have something to do with each other.
func manyRules(n int) []byte {
	var b strings.Builder
	b.WriteString("apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nomitManagedFields: true\nrules:\n")
	for i := range n {
		fmt.Fprintf(&b, "- level: %s # of team %d\n  users: [user-%d, \"system:serviceaccount:team-%d:deployer\"]\n  verbs: [create, update, patch, delete, deletecollection]\n", []string{"Metadata", "None"}[i%2], i, i%50, i%70)
		fmt.Fprintf(&b, "  namespaces: [team-%d, team-%d-test]\n  resources:\n  - group: \"\"\n    resources: [pods, pods/exec, pods/attach, services]\n  - group: apps\n    resources: [deployments, statefulsets]\n", i%70, i%70)
	}
	b.WriteString("- level: Metadata\n")
	return []byte(b.String())
}

func BenchmarkAuditLint(b *testing.B) {
	data := manyRules(1000)
	for b.Loop() {
		if _, err := Lint("audit.yaml", data); err != nil {
			b.Fatal(err)
		}
	}
}
