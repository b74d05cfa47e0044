package kubeconfig

import (
	"os"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
)

// IssueTo has a kubeconfig of the entry written to path in the same step as the
// key and certificate of the options. It returns an error where the entry or the
// profile cannot serve for one, or where Force would replace a kubeconfig that
// holds more than one of these.
func (e Entry) IssueTo(path string, o *ca.IssueOptions) error {
	if err := e.Validate(); err != nil {
		return err
	}
	profile, err := o.Profiles.Get(o.Profile)
	if err != nil {
		return err
	}
	if !profile.ClientAuth() {
		return failure.New(failure.Usage, "use --profile client, or leave --kubeconfig out",
			"a certificate of profile %q cannot log in to an API server", o.Profile)
	}
	if _, err := os.Lstat(path); err == nil && o.Force {
		if err := e.CheckReplace(path); err != nil {
			return err
		}
	}
	o.AlsoPaths = []string{path}
	o.Also = func(c ca.Credential) ([]store.File, error) {
		entry := e
		entry.CAPEM, entry.CertPEM, entry.KeyPEM = c.CAPEM, c.CertPEM, c.KeyPEM
		data, err := entry.Marshal()
		return []store.File{{Path: path, Data: data, Mode: 0o600}}, err
	}
	return nil
}
