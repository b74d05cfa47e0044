package kubeconfig

import (
	"errors"
	"io/fs"

	"github.com/pkictl/pkictl/ca"
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
