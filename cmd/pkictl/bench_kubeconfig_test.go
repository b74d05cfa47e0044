//go:build unix

package main_test

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// BenchmarkMerge merges 1,000 contexts, with clusters, certificates and keys,
// into a kubeconfig that has ten, and one context into one that has 1,000.
// pkictl locks, checks the result and syncs it to the disk; kubectl prints.
func BenchmarkMerge(b *testing.B) {
	for _, test := range []struct {
		name       string
		have, come int
	}{{"1000 into 10", 10, 1000}, {"1 into 1000", 1000, 1}} {
		b.Run(test.name, func(b *testing.B) {
			dir := b.TempDir()
			ok(b, os.WriteFile(filepath.Join(dir, "old"), []byte(manyContexts("old", test.have)), 0o600))
			ok(b, os.WriteFile(filepath.Join(dir, "new"), []byte(manyContexts("new", test.come)), 0o600))
			race(b, dir,
				contender{"pkictl", "cp ../old config && " + released(b) + " kubeconfig merge ../new --into config"},
				contender{"kubectl", "cp ../old config && KUBECONFIG=config:../new " + tool(b, "kubectl") + " config view --flatten --raw >merged"},
			)
		})
	}
}

// manyContexts is a kubeconfig as kubectl writes it, with data of the usual size.
func manyContexts(prefix string, n int) string {
	data := func(size int) string { return base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", size))) }
	var clusters, contexts, users strings.Builder
	for i := range n {
		name := fmt.Sprintf("%s-%d", prefix, i)
		fmt.Fprintf(&clusters, "- cluster:\n    certificate-authority-data: %s\n    server: https://%s:6443\n  name: %s\n", data(700), name, name)
		fmt.Fprintf(&contexts, "- context:\n    cluster: %[1]s\n    user: %[1]s\n  name: %[1]s\n", name)
		fmt.Fprintf(&users, "- name: %s\n  user:\n    client-certificate-data: %s\n    client-key-data: %s\n", name, data(800), data(240))
	}
	return "apiVersion: v1\nclusters:\n" + clusters.String() + "contexts:\n" + contexts.String() +
		"current-context: " + prefix + "-0\nkind: Config\nusers:\n" + users.String()
}
