//go:build unix

package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/csr"
	"github.com/pkictl/pkictl/internal/kubeclient"
	"github.com/pkictl/pkictl/kubeconfig"
)

// BenchmarkCachedCredential is what each kubectl waits for: the program as it
// starts, and as it hands out a credential that is in the cache. By request it
// reads the kubeconfig to know which cluster is meant; once that is a large one.
func BenchmarkCachedCredential(b *testing.B) {
	dir := b.TempDir()
	do(b, dir, "init-ca")
	written := func(name, data string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
			b.Fatal(err)
		}
		return path
	}
	small := written("small.conf", kubeconfigWith(1))
	large := written("large.conf", kubeconfigWith(1000))
	cache := filepath.Join(dir, "cache")
	for _, path := range []string{small, large} {
		keepAsByRequest(b, dir, cache, path)
	}
	by := released(b) + " credential --cn jane --cache " + cache
	race(b, dir,
		contender{"pkictl-version", released(b) + " version"},
		contender{"by-ca", by + " --via ca --dir " + filepath.Join(dir, "pki")},
		contender{"by-csr", by + " --kubeconfig " + small},
		contender{"by-csr-of-1000-contexts", by + " --kubeconfig " + large},
		contender{"kubectl-version", tool(b, "kubectl") + " version --client"},
	)
}

// keepAsByRequest puts a credential into the cache as the one that the cluster
// of a kubeconfig has signed: nobody looks at the signature.
func keepAsByRequest(b *testing.B, dir, cache, path string) {
	b.Helper()
	target, err := kubeclient.Locate(kubeclient.Options{File: path})
	ok(b, err)
	want := kubeconfig.Want{CommonName: "jane", Key: string(ca.ECDSAP256), Lifetime: time.Hour, Source: []string{"csr", target.Identity()}}
	mint := csr.MintByCA(ca.IssueOptions{Dir: filepath.Join(dir, "pki"), CommonName: "jane", Validity: "1h", Now: time.Now()}, func(...string) {})
	_, err = (&kubeconfig.CredentialCache{Dir: cache, Now: time.Now, Wait: time.Minute}).Get(b.Context(), want, mint)
	ok(b, err)
}

// kubeconfigWith returns a kubeconfig with so many contexts.
func kubeconfigWith(contexts int) string {
	var clusters, users, names strings.Builder
	for i := range contexts {
		fmt.Fprintf(&clusters, "- {name: c%d, cluster: {server: 'https://10.0.0.10:6443'}}\n", i)
		fmt.Fprintf(&users, "- {name: u%d, user: {token: t}}\n", i)
		fmt.Fprintf(&names, "- {name: n%d, context: {cluster: c%d, user: u%d}}\n", i, i, i)
	}
	return "apiVersion: v1\nkind: Config\ncurrent-context: n0\nclusters:\n" + clusters.String() + "users:\n" + users.String() + "contexts:\n" + names.String()
}
