package cluster

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/shell"
)

// ExplainUp returns shell commands that give the same result as Up does. Ports
// that are to be chosen are.
func ExplainUp(o UpOptions) (string, error) {
	p, err := newPlan(o)
	if err != nil {
		return "", err
	}
	if p.admin == nil {
		if p.admin = p.super; p.admin == nil {
			return "", missing(filepath.Join(p.Dir, NameAdmin))
		}
	}
	ports, err := p.Ports.filled()
	if err != nil {
		return "", err
	}
	cfg := p.config(ports)
	list, err := components(cfg, ports)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	run := shell.Quote(string(p.run))
	fmt.Fprintf(&b, "# what the run needs, for its owner alone\n(umask 077; mkdir -p %s)\n", run)
	p.explainConfigs(&b, ports)
	for _, c := range list {
		p.explainComponent(&b, c)
	}
	if err := p.explainBindings(&b, ports); err != nil {
		return "", err
	}
	fmt.Fprintf(&b, "export KUBECONFIG=%s\n", shell.Quote(p.run.path(adminConf)))
	b.WriteString("# its end, in order: kill %3, then %2, then %1\n")
	return b.String(), nil
}

// explainConfigs copies the kubeconfigs, with another server. Its certificate is
// checked for a name that it has.
func (p *plan) explainConfigs(b *strings.Builder, ports Ports) {
	b.WriteString("# kubeconfigs that reach the API server on this machine\n")
	for _, l := range []struct {
		local *localConfig
		name  string
	}{{p.admin, adminConf}, {p.manager, managerCnf}} {
		if l.local == nil {
			continue
		}
		to := shell.Quote(p.run.path(l.name))
		fmt.Fprintf(b, "(umask 077; kubectl --kubeconfig %s config view --raw --minify --flatten > %s)\n", shell.Quote(l.local.path), to)
		fmt.Fprintf(b, "kubectl --kubeconfig %s config set-cluster %s --server %s --tls-server-name %s\n", to,
			shell.Quote(l.local.config.Contexts[l.local.config.CurrentContext].Cluster), httpsURL(ports.APIServer), shell.Quote(p.serverName))
	}
}

func (p *plan) explainComponent(b *strings.Builder, c component) {
	if c.name == ComponentControllerManager {
		fmt.Fprintf(b, "# it ends at once where the roles are not there yet\nuntil kubectl --kubeconfig %s get --raw /readyz > /dev/null 2>&1; do sleep 0.1; done\n",
			shell.Quote(p.run.path(adminConf)))
	}
	fmt.Fprintf(b, "env -i %s \\\n", shell.Quote(c.binary))
	for _, arg := range c.args {
		fmt.Fprintf(b, "  %s \\\n", shell.Quote(arg))
	}
	fmt.Fprintf(b, "  > %s 2>&1 &\n", shell.Quote(p.run.path(c.name+".log")))
}

// explainBindings makes the bindings with a credential that may.
func (p *plan) explainBindings(b *strings.Builder, ports Ports) error {
	as := p.super
	if as == nil && p.admin != nil && slices.Contains(p.admin.groups(), ca.GroupMasters) {
		as = p.admin
	}
	kubectl := fmt.Sprintf("kubectl --server %s --tls-server-name %s", httpsURL(ports.APIServer), shell.Quote(p.serverName))
	if as != nil {
		kubectl += " --kubeconfig " + shell.Quote(as.path)
	} else {
		o := ca.IssueOptions{Dir: p.pki(), CommonName: superName, Groups: []string{ca.GroupMasters}, Validity: superValidity, Now: p.Now, OutDir: string(p.run)}
		recipe, err := ca.ExplainIssue(o)
		if err != nil {
			return err
		}
		fmt.Fprintf(b, "# there is no super-admin.conf\n%s", recipe)
		kubectl += fmt.Sprintf(" --certificate-authority %s --client-certificate %s --client-key %s",
			shell.Quote(filepath.Join(p.pki(), "ca.crt")), shell.Quote(o.Prefix()+".crt"), shell.Quote(o.Prefix()+".key"))
	}
	b.WriteString("# what kubeadm binds\n")
	fmt.Fprintf(b, "until %s get --raw /readyz > /dev/null 2>&1; do sleep 0.1; done\n", kubectl)
	for _, binding := range bootstrapBindings() {
		subject := binding.Subjects[0]
		fmt.Fprintf(b, "kubectl create clusterrolebinding %s --clusterrole %s --%s %s --dry-run=client -o yaml | \\\n  %s apply -f -\n",
			shell.Quote(binding.Name), binding.RoleRef.Name, strings.ToLower(subject.Kind), shell.Quote(subject.Name), kubectl)
	}
	return nil
}
