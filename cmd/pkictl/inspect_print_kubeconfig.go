package main

import (
	"fmt"
	"strings"

	"github.com/pkictl/pkictl/kubeconfig"
)

func (p itemPrinter) kubeconfig(k *kubeconfigView) {
	p.rows(row{"current context", k.CurrentContext})
	p = p.in()
	for _, cluster := range k.Clusters {
		p.title("Cluster", cluster.Name, "")
		verification := ""
		if cluster.InsecureSkipTLSVerify {
			verification = "OFF (insecure-skip-tls-verify): whoever stands between is taken for the server"
		}
		p.rows(
			row{"server", cluster.Server},
			row{"TLS server name", cluster.TLSServerName},
			row{"proxy", cluster.ProxyURL},
			row{"verification", verification},
		)
		p.part("CA", cluster.CA)
	}
	for _, user := range k.Users {
		p.title("User", user.Name, "")
		p.rows(row{"credentials", strings.Join(user.Credentials, ", ")})
		p.part("client certificate", user.Certificate)
		p.part("client key", user.Key)
		printChecks(p.w, p.indent+"  ", user.Checks)
	}
	for _, context := range k.Contexts {
		current := ""
		if context.Current {
			current = " (current)"
		}
		p.title("Context", context.Name, current)
		p.rows(
			row{"cluster", context.Cluster},
			row{"user", context.User},
			row{"namespace", context.Namespace},
			row{"problem", context.Problem},
		)
	}
}

func (p itemPrinter) title(kind, name, mark string) {
	fmt.Fprintf(p.w, "%s%s %s%s\n", p.indent, kind, printable(name), mark)
}

// part shows where the part is, and what is in it further to the right.
func (p itemPrinter) part(label string, part *kubeconfig.Part) {
	if part == nil {
		return
	}
	p.rows(row{label, part.Where()}, row{"problem", part.Problem})
	for _, item := range part.Items {
		p.in().item(inspectedItem{Item: item})
	}
}
