package lab

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
	"github.com/pkictl/pkictl/internal/yamlfile"
)

// certificate is a learner's.
type certificate = *ca.CertificateInfo

// readCertificateCheck reads the parameters of a check of a certificate, the first
// in its file:
//
//	file         the certificate's
//	subject      {CN: NAME, O: [GROUP, ...]}: C, ST, L, O, OU and CN
//	sans         [DNS:NAME, IP:ADDRESS, ...]: subject alternative names that it must
//	             have among others
//	ca           true or false: whether it is a CA's (basic constraints)
//	keyUsage     usages that it must have among others
//	extKeyUsage  the extended usages that it must have, and no others
//	key          the file of the private key that it belongs to
//	selfSigned   true
//	issuer       the file of a CA, as the lab gives it, that has signed it
//	signs        the learner's file of a certificate that it has signed, itself or
//	             through others in that file
//	lifetime     {min: 3650d, max: 3700d}: how long it is valid in all
//	valid        true: it is valid now
//	usable       client or server: an API server would accept it from such a one,
//	             with issuer for its CA, or itself
func readCertificateCheck(p *params) (grader, error) {
	c := &certificateCheck{params: p}
	var file, private, signs string
	err := p.fields(
		p.file("file", &file),
		add(&c.conditions, "subject", readSubject(p, func(c certificate) (pkix.Name, []byte) { return c.X509.Subject, c.X509.RawSubject })),
		add(&c.conditions, "sans", c.sans),
		add(&c.conditions, "ca", c.isCA),
		add(&c.conditions, "keyUsage", c.keyUsage),
		add(&c.conditions, "extKeyUsage", c.extKeyUsage),
		p.file("key", &private),
		add(&c.conditions, "selfSigned", c.selfSigned),
		p.given("issuer", &c.issuer),
		p.file("signs", &signs),
		add(&c.conditions, "lifetime", c.lifetime),
		add(&c.conditions, "valid", c.valid),
		yamlfile.Key{Name: "usable", Read: func(n *yaml.Node) (err error) { c.usable, err = c.purpose(n); return err }},
	)
	if err != nil {
		return nil, err
	}
	if private != "" {
		c.conditions = append(c.conditions, hasKey(private, func(c certificate) crypto.PublicKey { return c.X509.PublicKey }))
	}
	if signs != "" {
		c.conditions = append(c.conditions, hasSigned(signs))
	}
	switch {
	case c.usable != "":
		c.conditions = append(c.conditions, c.isUsable)
	case c.issuer != "":
		c.conditions = append(c.conditions, c.signedBy)
	}
	return func(_ context.Context, w *work) finding {
		item, found := w.pem(file, ca.ItemCertificate, "certificate")
		if found != "" {
			return finding{wanted: "a certificate in " + file, found: found}
		}
		return judge(item.Certificate, w, c.conditions)
	}, p.someOf(len(c.conditions), file)
}

type certificateCheck struct {
	*params
	conditions []condition[certificate]
	issuer     string
	usable     ca.Purpose
}

// sans asks for subject alternative names. Names of hosts are the same in small and
// capital letters (RFC 4343).
func (c *certificateCheck) sans(n *yaml.Node) (condition[certificate], error) {
	var want []string
	err := c.List(n, "sans", func(n *yaml.Node, text string) error {
		name, ok := alternativeName(text)
		if !ok {
			return c.ErrorAt(n, "write DNS:app.example.com or IP:10.0.0.1", "%q is no alternative name that a check can ask for", text)
		}
		want = append(want, name)
		return nil
	})
	if err == nil && len(want) == 0 {
		err = c.ErrorAt(n, "name at least one", "sans is an empty list")
	}
	return func(cert certificate, _ *work) (string, string, bool) {
		var is []string
		for _, name := range cert.X509.DNSNames {
			is = append(is, "DNS:"+strings.ToLower(name))
		}
		for _, address := range cert.X509.IPAddresses {
			is = append(is, "IP:"+address.String())
		}
		lacks := func(name string) bool { return !slices.Contains(is, name) }
		return "alternative names " + list(want), "alternative names " + list(is), !slices.ContainsFunc(want, lacks)
	}, err
}

// alternativeName reads what openssl writes so: DNS:NAME or IP:ADDRESS.
func alternativeName(text string) (name string, ok bool) {
	kind, value, _ := strings.Cut(text, ":")
	switch kind {
	case "DNS":
		return "DNS:" + strings.ToLower(value), value != ""
	case "IP":
		address := net.ParseIP(value)
		return "IP:" + address.String(), address != nil
	}
	return "", false
}

func (c *certificateCheck) isCA(n *yaml.Node) (condition[certificate], error) {
	want, err := c.Boolean(n, "ca")
	word := map[bool]string{true: "CA:TRUE", false: "CA:FALSE"}
	return func(cert certificate, _ *work) (string, string, bool) {
		found := "no basic constraints"
		if cert.BasicConstraints != nil {
			found = "basic constraints with " + word[cert.BasicConstraints.CA]
		}
		// Without the extension, or in version 1, nobody takes it for a CA's.
		is := cert.Version == 3 && cert.BasicConstraints != nil && cert.BasicConstraints.CA
		return "basic constraints with " + word[want], found, is == want
	}, err
}

func (c *certificateCheck) keyUsage(n *yaml.Node) (condition[certificate], error) {
	want, err := c.usages(n, "keyUsage", ca.KeyUsageNames())
	return func(cert certificate, _ *work) (string, string, bool) {
		lacks := func(usage string) bool { return !slices.Contains(cert.KeyUsages, usage) }
		return "key usage " + list(want), "key usage " + list(cert.KeyUsages), !slices.ContainsFunc(want, lacks)
	}, err
}

func (c *certificateCheck) extKeyUsage(n *yaml.Node) (condition[certificate], error) {
	want, err := c.usages(n, "extKeyUsage", ca.ExtendedKeyUsageNames())
	slices.Sort(want)
	return func(cert certificate, _ *work) (string, string, bool) {
		is := slices.Sorted(slices.Values(cert.ExtendedKeyUsages))
		return "extended key usage " + list(want) + " and no other", "extended key usage " + list(is), slices.Equal(is, want)
	}, err
}

func list(words []string) string {
	if len(words) == 0 {
		return "none"
	}
	return strings.Join(words, ", ")
}

func (c *certificateCheck) usages(n *yaml.Node, what string, known []string) ([]string, error) {
	var usages []string
	err := c.List(n, what, func(n *yaml.Node, usage string) error {
		if !slices.Contains(known, usage) {
			return c.ErrorAt(n, failure.Suggest(usage, known), "%s knows no usage %q", what, usage)
		}
		usages = append(usages, usage)
		return nil
	})
	if err == nil && len(usages) == 0 {
		err = c.ErrorAt(n, "name at least one", "%s is an empty list", what)
	}
	return usages, err
}

func (c *certificateCheck) selfSigned(n *yaml.Node) (condition[certificate], error) {
	return func(cert certificate, _ *work) (string, string, bool) {
		found := "issued by " + cert.Issuer
		if cert.SelfSignedReason != "" {
			found = "it names itself as issuer, but the signature is not its own: " + cert.SelfSignedReason
		}
		return "signed with its own key", found, cert.SelfSigned
	}, c.isTrue(n, "selfSigned")
}

func (c *certificateCheck) lifetime(n *yaml.Node) (condition[certificate], error) {
	var least, most time.Duration
	read := func(what string, to *time.Duration) yamlfile.Key {
		return yamlfile.Key{Name: what, Read: func(n *yaml.Node) error {
			text, err := c.Text(n, what)
			if err == nil {
				*to, err = ca.ParseValidity(text)
				err = c.At(n, err)
			}
			return err
		}}
	}
	err := c.Mapping(n, "lifetime", read("min", &least), read("max", &most))
	if err == nil && (least == 0 || most < least) {
		err = c.ErrorAt(n, "write both, as in {min: 3650d, max: 3700d}", "lifetime has no min, or a max below it")
	}
	return func(cert certificate, _ *work) (string, string, bool) {
		// Both ends count (RFC 5280, 4.1.2.5); openssl -days 365 makes it a second
		// longer than 365 days, which are 365 days nevertheless.
		is := cert.NotAfter.Sub(cert.NotBefore)
		return wantedLife(least, most), "valid for " + lifeInWords(is+time.Second), is+time.Second >= least && is <= most
	}, err
}

// wantedLife says how long a certificate is to be valid.
func wantedLife(least, most time.Duration) string {
	if least < ca.Day && most >= shortLife {
		return "valid for at most " + lifeInWords(most)
	}
	return fmt.Sprintf("valid for %s to %s", lifeInWords(least), lifeInWords(most))
}

// shortLife is how long a certificate is valid at most whose life is counted in hours.
const shortLife = 3 * ca.Day

func lifeInWords(d time.Duration) string {
	switch {
	case d < 2*time.Hour:
		return fmt.Sprintf("%d minutes", d/time.Minute)
	case d < shortLife:
		return fmt.Sprintf("%d hours", d/time.Hour)
	}
	return fmt.Sprintf("%d days", d/ca.Day)
}

func (c *certificateCheck) valid(n *yaml.Node) (condition[certificate], error) {
	return func(cert certificate, w *work) (string, string, bool) {
		return "valid now", "valid " + span(cert.X509), !w.now.Before(cert.NotBefore) && !w.now.After(cert.NotAfter)
	}, c.isTrue(n, "valid")
}

func span(cert *x509.Certificate) string {
	return "from " + cert.NotBefore.UTC().Format(time.RFC3339) + " to " + cert.NotAfter.UTC().Format(time.RFC3339)
}

func (c *certificateCheck) purpose(n *yaml.Node) (ca.Purpose, error) {
	text, err := c.Text(n, "usable")
	if err == nil && text != string(ca.PurposeClient) && text != string(ca.PurposeServer) {
		err = c.ErrorAt(n, "write client or server", "nobody is %q", text)
	}
	return ca.Purpose(text), err
}

// given returns a certificate as the lab gives it, nil where there is none.
func (w *work) given(name string) *x509.Certificate {
	files, err := w.lab.givenFiles()
	if err != nil {
		return nil
	}
	for _, file := range files {
		if file.name != name {
			continue
		}
		items, err := ca.Decode(file.data, name)
		if certs := ca.Certificates(items); err == nil && len(certs) > 0 {
			return certs[0]
		}
	}
	return nil
}

// signedBy asks for the issuer's signature alone: the other conditions ask for the
// rest.
func (c *certificateCheck) signedBy(cert certificate, w *work) (wanted, found string, ok bool) {
	wanted = "signed by the CA in " + c.issuer
	issuer := w.given(c.issuer)
	switch {
	case issuer == nil:
		return wanted, "the lab has no such CA", false
	case !bytes.Equal(cert.X509.RawIssuer, issuer.RawSubject):
		return wanted, "issued by " + cert.Issuer, false
	}
	if err := issuer.CheckSignature(cert.X509.SignatureAlgorithm, cert.X509.RawTBSCertificate, cert.X509.Signature); err != nil {
		return wanted, "it names that CA, but the signature is by another key", false
	}
	return wanted, "", true
}

// hasSigned asks that a certificate has signed the first one in another file of the
// learner's, itself or through others in that file.
func hasSigned(file string) condition[certificate] {
	return func(cert certificate, w *work) (wanted, found string, ok bool) {
		wanted = "it has signed the certificate in " + file
		item, found := w.pem(file, ca.ItemCertificate, "certificate")
		if found != "" {
			return wanted, found, false
		}
		data, _ := w.learner.file(file, store.MaxPEM)
		items, err := w.learner.decode(file, data)
		if err != nil {
			return wanted, err.Error(), false
		}
		roots, between := x509.NewCertPool(), x509.NewCertPool()
		roots.AddCert(cert.X509)
		for _, one := range ca.Certificates(items) {
			between.AddCert(one)
		}
		signed := item.Certificate
		_, err = signed.X509.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, CurrentTime: w.now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
		if err != nil {
			return wanted, file + " is issued by " + signed.Issuer + ": " + strings.TrimPrefix(err.Error(), "x509: "), false
		}
		return wanted, "", true
	}
}

// isUsable asks what an API server asks: a chain to the CA, with a certificate that
// is valid now and may be used so.
func (c *certificateCheck) isUsable(cert certificate, w *work) (wanted, found string, ok bool) {
	wanted = fmt.Sprintf("accepted from a %s by who trusts it", c.usable)
	issuer := cert.X509
	if c.issuer != "" {
		wanted = fmt.Sprintf("accepted from a %s by who trusts %s", c.usable, c.issuer)
		if issuer = w.given(c.issuer); issuer == nil {
			return wanted, "the lab has no such CA", false
		}
	}
	usage := x509.ExtKeyUsageClientAuth
	if c.usable == ca.PurposeServer {
		usage = x509.ExtKeyUsageServerAuth
	}
	roots := x509.NewCertPool()
	roots.AddCert(issuer)
	_, err := cert.X509.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: w.now, KeyUsages: []x509.ExtKeyUsage{usage}})
	if err != nil {
		return wanted, strings.TrimPrefix(err.Error(), "x509: "), false
	}
	return wanted, "", true
}
