package kubeconfig

import (
	"context"
	"errors"
	"io/fs"
	"strings"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
)

// Renew returns the kubeconfigs that were made with a certificate, with the new
// credential in the place of the old, and names the other files that were made
// with it. It serves as Also of ca.RenewOptions.
func Renew(old *ca.Holding, renewed ca.Credential) (files []store.File, others []string, err error) {
	for _, path := range old.Also {
		data, err := store.Read(path, store.MaxYAML)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		if _, err := Parse(data, path); err != nil {
			others = append(others, path)
			continue
		}
		data, err = Replace(data, path, old.Certificate, renewed.CertPEM, renewed.KeyPEM)
		if err != nil {
			return nil, nil, err
		}
		if data != nil {
			files = append(files, store.File{Path: path, Data: data, Mode: 0o600, Keep: true})
		}
	}
	return files, others, nil
}

// RenewHolding is ca.Renew with the kubeconfigs that hold the certificate. It
// warns of files of another form that do, which have to be made anew.
func RenewHolding(ctx context.Context, c *ca.CA, h *ca.Holding, o ca.RenewOptions) (*ca.Renewal, error) {
	var stale []string
	o.Also = func(old *ca.Holding, renewed ca.Credential) ([]store.File, error) {
		files, others, err := Renew(old, renewed)
		stale = others
		return files, err
	}
	r, err := c.Renew(ctx, h, o)
	if err != nil {
		return nil, err
	}
	for _, path := range stale {
		r.Warnings = append(r.Warnings, path+" still holds the old certificate; make it anew")
	}
	return r, nil
}

// AddHolders gives each kubeconfig to the holding whose certificate it holds. One
// that holds none is a slip, which nobody would notice before the old certificate
// ends.
func AddHolders(paths []string, holdings ...*ca.Holding) error {
	for _, path := range paths {
		data, err := store.Read(path, store.MaxYAML)
		if err != nil {
			return err
		}
		found := false
		for _, h := range holdings {
			held, err := Holds(data, path, h.Certificate)
			if err != nil {
				return err
			}
			if held {
				h.Add(path)
				found = true
			}
		}
		if !found {
			return failure.New(failure.Failed, "see what it holds with: pkictl inspect "+path,
				"kubeconfig %q holds no certificate that is to be renewed", path)
		}
	}
	return nil
}

// Holders returns the kubeconfigs that Renew changes for a certificate.
func Holders(h *ca.Holding) ([]string, error) {
	var paths []string
	err := eachWith(h, func(path string, data []byte) error {
		held, err := Holds(data, path, h.Certificate)
		if held {
			paths = append(paths, path)
		}
		return err
	})
	return paths, err
}

// ExplainRenew is ca.ExplainRenew with the commands for the kubeconfigs that
// hold the certificate.
func ExplainRenew(c *ca.CA, h *ca.Holding, o ca.RenewOptions, pass string) (string, error) {
	var failed error
	recipe, err := c.ExplainRenew(h, o, pass, func(cert, key string) string {
		var commands []string
		failed = eachWith(h, func(path string, data []byte) error {
			command, err := ExplainReplace(data, path, h.Certificate, cert, key)
			if command != "" {
				commands = append(commands, command)
			}
			return err
		})
		return strings.Join(commands, "\n")
	})
	return recipe, errors.Join(err, failed)
}

// eachWith calls do with each kubeconfig that was made with a certificate.
// Other forms are made anew, and are passed over.
func eachWith(h *ca.Holding, do func(path string, data []byte) error) error {
	for _, path := range h.Also {
		data, err := store.Read(path, store.MaxYAML)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if _, err := Parse(data, path); err != nil {
			continue
		}
		if err := do(path, data); err != nil {
			return err
		}
	}
	return nil
}
