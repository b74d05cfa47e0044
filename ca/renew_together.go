package ca

import "github.com/pkictl/pkictl/internal/store"

// PrepareRenewal prepares a certificate with the subject, names and usages of
// an old one, for WriteTogether to put in all places of that one: nothing is
// signed or written. It does not look at the files that hold the old one; what
// they hold in its place is taken for granted. The warnings say in what the new
// certificate is not like the old one. Of the options DryRun and Waiting count
// for nothing.
func (c *CA) PrepareRenewal(h *Holding, o RenewOptions) (m Member, warnings []string, err error) {
	req, err := o.request(h)
	if err != nil {
		return m, nil, err
	}
	p, warnings, err := c.prepareRenewal(h, req, o)
	if err != nil {
		return m, nil, err
	}
	meta := (&Renewal{Holding: h}).metadata(o.Dir)
	meta.Out = recordedIn(o.Dir, meta.Out) // a Member has paths as they are
	for i, path := range meta.Also {
		meta.Also[i] = recordedIn(o.Dir, path)
	}
	return Member{CA: c, Prepared: p, Metadata: meta, Files: func(renewed Credential) ([]store.File, error) {
		if err := checkRenewed(renewed.Certificate, c, renewed.KeyPEM, o.Now); err != nil {
			return nil, err
		}
		return o.files(h, renewed)
	}}, warnings, nil
}
