package main

import (
	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/kubeconfig"
)

// explainRenewals prints a recipe for each certificate.
func (a *app) explainRenewals(authority *ca.CA, holdings []*ca.Holding, o ca.RenewOptions) error {
	pass := a.opensslPass(a.passphraseFile, envVariable)
	for _, h := range holdings {
		if err := a.explain(kubeconfig.ExplainRenew(authority, h, o, pass)); err != nil {
			return err
		}
	}
	return nil
}
