package cluster

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/shell"
)

// ExplainCheck returns the commands, for a POSIX shell, that show what Check
// does, as far as openssl, kubeadm and kubectl can tell.
func ExplainCheck(o CheckOptions) (string, error) {
	c := &checker{o: o, dir: resolveDir(o.Dir), report: &CheckReport{}}
	nodes, err := c.findNodes()
	if err != nil {
		return "", err
	}
	c.report.Nodes = nodes
	var b strings.Builder
	for i, n := range nodes {
		if i > 0 {
			b.WriteString("\n")
		}
		c.explainFiles(&b, n)
	}
	if o.Live {
		for _, n := range nodes {
			if err := n.findLocal(); err != nil {
				return "", err
			}
		}
		calls, err := c.calls()
		if err != nil {
			return "", err
		}
		explainCalls(&b, calls)
		n, at := nodes[0], ""
		if server, other := c.otherServer(n); other {
			at = " --server " + shell.Quote("https://"+server) + " --tls-server-name " + apiServerName
		}
		fmt.Fprintf(&b, "\n# the CA that the cluster hands out, and the one on disk\nkubectl --kubeconfig %s%s get configmap kube-root-ca.crt -o 'jsonpath={.data.ca\\.crt}' | diff - %s\n",
			shell.Quote(filepath.Join(n.Dir, NameAdmin)), at, shell.Quote(filepath.Join(PKIDir(n.Dir), "ca.crt")))
	}
	return b.String(), nil
}

func (c *checker) explainFiles(b *strings.Builder, n *CheckedNode) {
	within := 30 * ca.Day
	if c.o.Within != 0 {
		within = c.o.Within
	}
	pki := shell.Quote(PKIDir(n.Dir))
	fmt.Fprintf(b, "# ends, as kubeadm sees them; kubeconfigs are those of /etc/kubernetes\nkubeadm certs check-expiration --cert-dir \"$(realpath %s)\"\n", pki)
	for _, e := range c.entries(n) {
		if e.Kind == KindKeyPair {
			fmt.Fprintf(b, "\n# %s: %s\n[ \"$(openssl pkey -in %s -pubout)\" = \"$(cat %s)\" ] || echo 'not one pair'\n", e.Name, e.Purpose,
				shell.Quote(e.KeyPath(n.Dir)), shell.Quote(e.publicPath(n.Dir)))
			continue
		}
		cert, key := shell.Quote(e.CertPath(n.Dir)), shell.Quote(e.KeyPath(n.Dir))
		fmt.Fprintf(b, "\n# %s: %s\n", e.Name, e.Purpose)
		read := "openssl x509 -in " + cert
		if e.Kind == KindKubeconfig {
			fmt.Fprintf(b, "kubectl --kubeconfig %s config view --minify --raw -o 'jsonpath={.users[0].user.client-certificate-data}' | base64 -d >cert.tmp\n", cert)
			cert, read = "cert.tmp", "openssl x509 -in cert.tmp"
		}
		fmt.Fprintf(b, "%s -noout -subject -issuer -dates -ext subjectAltName,extendedKeyUsage,basicConstraints 2>/dev/null\n%s -noout -checkend %d\n", read, read, int64(within/time.Second))
		issuer, _ := EntryNamed(e.CA)
		if e.CA == "" {
			issuer = e
		}
		fmt.Fprintf(b, "openssl verify -partial_chain -CAfile %s %s\n", shell.Quote(issuer.CertPath(n.Dir)), cert)
		if e.Kind == KindKubeconfig {
			b.WriteString("rm cert.tmp\n")
			continue
		}
		if e.Kind == KindCA && !isThere(e.KeyPath(n.Dir)) {
			continue
		}
		fmt.Fprintf(b, "[ \"$(%s -noout -pubkey)\" = \"$(openssl pkey -in %s -pubout)\" ] || echo 'another key'\n", read, key)
	}
	dir := shell.Quote(n.Dir)
	fmt.Fprintf(b, `
# what others may read or change: none of these should be listed
find %s/*.conf %s -name '*.crt' -prune -o -type f -perm /077 -print
find %s -name '*.crt' -perm /022 -print
find %s -maxdepth 0 -perm /022 -print; find %s -type d -perm /022 -print
# to whom it belongs, as a node has it
find %s/*.conf %s ! \( -user root -group root \) -print
`, dir, pki, pki, dir, pki, dir, pki)
}

func explainCalls(b *strings.Builder, calls []*call) {
	b.WriteString("\n# what the components show now\n")
	for _, call := range calls {
		fmt.Fprintf(b, "openssl s_client -connect %s -servername %s </dev/null 2>/dev/null | openssl x509 -noout -subject -issuer -serial -enddate # %s\n",
			shell.Quote(call.address), shell.Quote(call.host), call.component)
		if call.component == ComponentEtcd {
			n := call.node
			health, _ := EntryNamed(nameEtcdHealth)
			authority, _ := EntryNamed(NameEtcdCA)
			fmt.Fprintf(b, "curl --cacert %s --cert %s --key %s %s\n", shell.Quote(authority.CertPath(n.Dir)),
				shell.Quote(health.CertPath(n.Dir)), shell.Quote(health.KeyPath(n.Dir)), shell.Quote("https://"+call.address+"/health"))
		}
	}
}
