package cluster

import (
	"context"
	"strings"

	"github.com/pkictl/pkictl/internal/store"
	"github.com/pkictl/pkictl/kubeconfig"
)

// ExplainRenew returns the openssl and kubectl commands, for a POSIX shell, that
// renew as Renew does, but for the one step: in between, the files are some old
// and some new. It changes nothing, and asks for no passphrase; pass says where
// openssl finds it, in the form that its -passin takes, and is empty where it asks.
func ExplainRenew(ctx context.Context, o RenewOptions, pass string) (string, error) {
	o.DryRun = true
	p, err := o.plan()
	if err != nil {
		return "", err
	}
	p.noKeys = true
	if err := p.look(ctx); err != nil {
		return "", err
	}
	var recipes []string
	for _, d := range p.dirs {
		for _, item := range d.items {
			switch item.state {
			case RenewalFailed:
				return "", item.err
			case RenewalDone:
				recipe, err := item.explain(p, pass)
				if err != nil {
					return "", err
				}
				recipes = append(recipes, recipe)
			}
		}
	}
	return strings.Join(recipes, "\n"), nil
}

func (item *renewItem) explain(p *renewPlan, pass string) (string, error) {
	var failed error
	recipe, err := item.signer.ExplainRenew(item.holding, p.certificateOptions(item.dir), pass, func(cert, key string) string {
		if item.found.Entry.Kind != KindKubeconfig {
			return ""
		}
		path := item.path()
		data, err := store.Read(path, store.MaxYAML)
		if err != nil {
			failed = err
			return ""
		}
		var command string
		command, failed = kubeconfig.ExplainReplace(data, path, item.holding.Certificate, cert, key)
		return command
	})
	if err == nil {
		err = failed
	}
	return recipe, err
}
