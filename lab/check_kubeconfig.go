package lab

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/pkictl/pkictl/internal/kubeclient"
	"github.com/pkictl/pkictl/internal/yamlfile"
)

// readKubeconfigCheck reads the parameters of a check of a kubeconfig, of which one
// context is looked at. No plugin is run, and no server called but the lab's own.
//
//	file       the kubeconfig's
//	context    the name of the context; without it: the current one
//	contexts   the names of all contexts that it has
//	current    the name of the current context
//	namespace  of the context
//	embedded   true: certificates and key stand in it, and not in files
//	reaches    true: it gets to the API server of the lab's cluster, and knows it by
//	           the CA of the cluster and no other
//	logsIn     {user: NAME, groups: [GROUP, ...]}: its API server takes the client
//	           certificate for that user, and those groups but system:authenticated;
//	           without groups for that user in any
func readKubeconfigCheck(p *params) (grader, error) {
	k := &kubeconfigCheck{params: p}
	var file, name string
	err := p.fields(
		p.file("file", &file),
		yamlfile.Key{Name: "context", Read: p.line("context", &name)},
		add(&k.conditions, "contexts", k.contexts),
		add(&k.conditions, "current", k.current),
		add(&k.conditions, "namespace", k.namespace),
		add(&k.conditions, "embedded", k.embedded),
		k.onlyTrue("reaches", &k.reaches),
		yamlfile.Key{Name: "logsIn", Read: k.logsIn},
	)
	if err != nil {
		return nil, err
	}
	asked := len(k.conditions)
	if k.reaches || k.user != "" {
		asked++
		if err := p.needsCluster(); err != nil {
			return nil, err
		}
	}
	return func(ctx context.Context, w *work) finding {
		chosen, found := w.kubeContext(file, name)
		if found != "" {
			return finding{wanted: wantedContext(file, name), found: found}
		}
		return judge(chosen, w, slices.Concat(k.conditions, k.live(ctx)))
	}, p.someOf(asked, file)
}

func wantedContext(file, name string) string {
	if name == "" {
		return "a kubeconfig with a current context in " + file
	}
	return fmt.Sprintf("a kubeconfig with the context %q in %s", name, file)
}

type kubeconfigCheck struct {
	*params
	conditions []condition[*kubeContext]
	reaches    bool
	user       string
	groups     []string
}

func (k *kubeconfigCheck) contexts(n *yaml.Node) (condition[*kubeContext], error) {
	want, err := k.textOrTexts(n, "contexts")
	slices.Sort(want)
	return func(c *kubeContext, _ *work) (string, string, bool) {
		is := slices.Sorted(maps.Keys(c.config.Contexts))
		return "the contexts " + list(want) + " and no other", "the contexts " + list(is), slices.Equal(is, want)
	}, err
}

func (k *kubeconfigCheck) current(n *yaml.Node) (condition[*kubeContext], error) {
	want, err := k.Text(n, "current")
	return func(c *kubeContext, _ *work) (string, string, bool) {
		found := "current-context: " + c.config.CurrentContext
		if c.config.CurrentContext == "" {
			found = "no current-context"
		}
		return "current-context: " + want, found, c.config.CurrentContext == want
	}, err
}

func (k *kubeconfigCheck) namespace(n *yaml.Node) (condition[*kubeContext], error) {
	want, err := k.Text(n, "namespace")
	return func(c *kubeContext, _ *work) (string, string, bool) {
		found := fmt.Sprintf("namespace %q", c.context.Namespace)
		if c.context.Namespace == "" {
			found = "no namespace"
		}
		return fmt.Sprintf("context %q has the namespace %s", c.name, want), found, c.context.Namespace == want
	}, err
}

func (k *kubeconfigCheck) embedded(n *yaml.Node) (condition[*kubeContext], error) {
	var is bool
	return func(c *kubeContext, _ *work) (string, string, bool) {
		wanted := fmt.Sprintf("context %q has certificates and key embedded", c.name)
		switch {
		case len(c.files) > 0:
			return wanted, "it names the file " + c.files[0], false
		case len(c.cluster.CertificateAuthorityData) == 0:
			return wanted, fmt.Sprintf("cluster %q has no certificate-authority-data", c.context.Cluster), false
		case len(c.user.ClientCertificateData) == 0 || len(c.user.ClientKeyData) == 0:
			return wanted, fmt.Sprintf("user %q lacks client-certificate-data or client-key-data", c.context.AuthInfo), false
		}
		return wanted, "", true
	}, k.onlyTrue("embedded", &is).Read(n)
}

func (k *kubeconfigCheck) logsIn(n *yaml.Node) error {
	err := k.Mapping(n, "logsIn",
		yamlfile.Key{Name: "user", Read: k.line("user", &k.user)},
		yamlfile.Key{Name: "groups", Read: func(n *yaml.Node) (err error) { k.groups, err = k.textOrTexts(n, "groups"); return err }},
	)
	if err == nil && k.user == "" {
		err = k.ErrorAt(n, "write logsIn: {user: NAME}", "logsIn names no user")
	}
	return err
}

// live returns the conditions for which the API server is asked.
func (k *kubeconfigCheck) live(ctx context.Context) []condition[*kubeContext] {
	var list []condition[*kubeContext]
	ask := func(wanted string, w *work, ask func(*kubeclient.Client) string) (string, string, bool) {
		admin, found := w.cluster(ctx)
		if found == "" {
			found = ask(admin)
		}
		return wanted, found, found == ""
	}
	if k.reaches {
		list = append(list, func(c *kubeContext, w *work) (string, string, bool) {
			wanted := fmt.Sprintf("context %q reaches the lab's API server, and trusts its CA alone", c.name)
			return ask(wanted, w, func(admin *kubeclient.Client) string {
				if found := c.reach(ctx, admin); found != "" {
					return found
				}
				return c.trustsAlone(admin)
			})
		})
	}
	if k.user != "" {
		list = append(list, func(c *kubeContext, w *work) (string, string, bool) {
			return ask(k.wantedUser(c), w, func(admin *kubeclient.Client) string { return k.isUser(ctx, c, w, admin) })
		})
	}
	return list
}

func (k *kubeconfigCheck) wantedUser(c *kubeContext) string {
	wanted := fmt.Sprintf("the API server takes the user of context %q for %s", c.name, k.user)
	if k.groups != nil {
		wanted += " in " + strings.Join(k.groups, ", ")
	}
	return wanted
}

func (k *kubeconfigCheck) isUser(ctx context.Context, c *kubeContext, w *work, admin *kubeclient.Client) (found string) {
	info, found := w.logIn(ctx, c, admin)
	if found != "" {
		return found
	}
	groups := slices.DeleteFunc(slices.Sorted(slices.Values(info.Groups)), func(g string) bool { return g == groupAuthenticated })
	if info.Username != k.user || k.groups != nil && !slices.Equal(groups, slices.Sorted(slices.Values(k.groups))) {
		return fmt.Sprintf("it takes it for %s in %s", info.Username, groupsOr(groups))
	}
	return ""
}

func groupsOr(groups []string) string {
	if len(groups) == 0 {
		return "no group"
	}
	return strings.Join(groups, ", ")
}

// trustsAlone finds another CA beside that of the cluster.
func (c *kubeContext) trustsAlone(admin *kubeclient.Client) (found string) {
	trusted, err := admin.CAPEM()
	if err != nil {
		return err.Error()
	}
	certs, found := c.trusts()
	for _, cert := range certs {
		if !inBundle(trusted, cert) {
			return "it also trusts another CA: " + cert.Subject.String()
		}
	}
	return found
}

func inBundle(bundle []byte, cert *x509.Certificate) bool {
	for block, rest := pem.Decode(bundle); block != nil; block, rest = pem.Decode(rest) {
		if bytes.Equal(block.Bytes, cert.Raw) {
			return true
		}
	}
	return false
}
