package main

import (
	"errors"
	"io/fs"
	"strings"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/store"
	"github.com/pkictl/pkictl/kubeconfig"
)

// explainRenewals prints a recipe for each certificate.
func (a *app) explainRenewals(authority *ca.CA, holdings []*ca.Holding, o ca.RenewOptions) error {
	pass := a.opensslPass(a.passphraseFile, envVariable)
	for _, h := range holdings {
		var failed error
		recipe, err := authority.ExplainRenew(h, o, pass, func(cert, key string) string {
			var lines string
			lines, failed = explainKubeconfigs(h, cert, key)
			return lines
		})
		if err := a.explain(recipe, errors.Join(err, failed)); err != nil {
			return err
		}
	}
	return nil
}

// explainKubeconfigs returns the commands for the kubeconfigs that hold the old
// certificate.
func explainKubeconfigs(h *ca.Holding, cert, key string) (string, error) {
	var commands []string
	for _, path := range h.Also {
		data, err := store.Read(path, store.MaxYAML)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", err
		}
		if _, err := kubeconfig.Parse(data, path); err != nil {
			continue // another form, which is made anew
		}
		command, err := kubeconfig.ExplainReplace(data, path, h.Certificate, cert, key)
		if err != nil {
			return "", err
		}
		if command != "" {
			commands = append(commands, command)
		}
	}
	return strings.Join(commands, "\n"), nil
}
