package ca

import (
	"fmt"
	"strings"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/shell"
)

// ExplainRenew returns the openssl commands, for a POSIX shell, that renew a
// certificate as Renew does, but for the one step: in between, the key is not
// that of the certificate. Also returns what they do to other files, from the
// paths, quoted, of the new certificate and key; the key is empty where the old
// one is kept. It may be nil.
func (c *CA) ExplainRenew(h *Holding, o RenewOptions, pass string, also func(cert, key string) string) (string, error) {
	req, err := o.request(h)
	if err != nil {
		return "", err
	}
	r, err := c.recipe(req, KeyName(c.Certificate.PublicKey), o.Now, pass)
	if err != nil {
		return "", err
	}
	if o.ReuseKey && h.KeyPath == "" {
		return "", failure.New(failure.Failed, "leave out --reuse-key or --explain", "there is no recipe that keeps the key of %q: it is in no file of its own", h.Name)
	}
	r.Title = "a new certificate in place of that of " + shell.Quote(h.Name)
	r.Cert, r.Key = `"$work/new.crt"`, `"$work/new.key"`
	if r.Old = shell.Quote(h.CertPath); h.CertPath == "" {
		r.Old, r.OldPEM = `"$work/old.crt"`, string(EncodeCertificates(h.Certificate))
	}
	if o.ReuseKey {
		r.Genpkey, r.Key = "", shell.Quote(h.KeyPath)
	}
	after := []string{
		fmt.Sprintf("openssl verify -CAfile %s %s", shell.Quote(c.bundlePath()), r.Cert),
	}
	if line := c.explainPresented(r.Cert); line != "" {
		after = append(after, line)
	}
	cert, key := r.Cert, r.Key
	if h.CertPath != "" {
		cert = shell.Quote(h.CertPath)
		after = append(after, fmt.Sprintf("cat -- %s > %s", r.Cert, cert))
		if !o.ReuseKey {
			key = shell.Quote(h.KeyPath)
			after = append(after, fmt.Sprintf("cat -- %s > %s", r.Key, key))
		}
	}
	if o.ReuseKey {
		key = ""
	}
	if also != nil {
		if lines := also(cert, key); lines != "" {
			after = append(after, lines)
		}
	}
	r.After = strings.Join(after, "\n")
	return r.String(), nil
}
