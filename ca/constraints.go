package ca

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/pkictl/pkictl/internal/failure"
)

// permittedNames are those that a CA may certify, and all below them: its name
// constraints (RFC 5280, 4.2.1.10).
type permittedNames struct {
	dns []string
	ips []netip.Prefix
}

// parseConstraints reads domains and networks as a user writes them.
func parseConstraints(dns, ips []string) (permittedNames, error) {
	var n permittedNames
	for _, domain := range dns {
		if err := checkDomain(domain); err != nil {
			return n, err
		}
		if slices.Contains(n.dns, domain) {
			return n, failure.New(failure.Usage, "name each one once", "permitted domain %q is given twice", domain)
		}
		n.dns = append(n.dns, domain)
	}
	for _, text := range ips {
		network, err := parseNetwork(text)
		if err != nil {
			return n, err
		}
		if slices.Contains(n.ips, network) {
			return n, failure.New(failure.Usage, "name each one once", "permitted network %q is given twice", text)
		}
		n.ips = append(n.ips, network)
	}
	return n, nil
}

// checkDomain accepts a host name in lower case. The RFC has no form for the
// names below a domain without the domain itself, so ".example.com" would
// permit more than whoever writes it has in mind.
func checkDomain(domain string) error {
	bad := func(hint string) error {
		return failure.New(failure.Usage, hint, "%q is not a domain that can be permitted", domain)
	}
	plain := strings.TrimPrefix(strings.TrimPrefix(domain, "*"), ".")
	switch _, err := netip.ParseAddr(domain); {
	case err == nil || strings.Contains(domain, "/"):
		return bad("permit addresses with --permit-ip, as in 10.0.0.0/8")
	case plain != domain && isHostName(plain):
		return bad("write " + plain + "; it stands for itself and for every name below it")
	case !isHostName(domain):
		return bad("write a domain in lower case, as in example.com")
	}
	return nil
}

func parseNetwork(text string) (netip.Prefix, error) {
	bad := func(hint string) (netip.Prefix, error) {
		return netip.Prefix{}, failure.New(failure.Usage, hint, "%q is not a network that can be permitted", text)
	}
	if addr, err := netip.ParseAddr(text); err == nil && addr.Zone() == "" {
		return bad(fmt.Sprintf("write it with its length; this address alone is %s/%d", addr.Unmap(), addr.Unmap().BitLen()))
	}
	network, err := netip.ParsePrefix(text)
	switch {
	case err != nil || network.Addr().Is4In6():
		return bad("write it like 10.0.0.0/8 or fd00::/8")
	case network != network.Masked():
		return bad("the network of that length is " + network.Masked().String())
	}
	return network, nil
}

// apply puts the constraints into a CA's certificate. The extension must be
// critical (RFC 5280, 4.2.1.10).
func (n permittedNames) apply(t *x509.Certificate) {
	t.PermittedDNSDomains = n.dns
	t.PermittedIPRanges = n.networks()
	t.PermittedDNSDomainsCritical = len(n.dns)+len(n.ips) > 0
}

func (n permittedNames) networks() []*net.IPNet {
	var networks []*net.IPNet
	for _, network := range n.ips {
		networks = append(networks, &net.IPNet{
			IP: network.Addr().AsSlice(), Mask: net.CIDRMask(network.Bits(), network.Addr().BitLen()),
		})
	}
	return networks
}

// isIn says whether a certificate has these constraints and no others.
func (n permittedNames) isIn(cert *x509.Certificate) bool {
	wanted := constraintNames(n.dns, n.networks(), nil, nil)
	found := nameConstraints(cert)
	if found == nil {
		return wanted == nil
	}
	return slices.Equal(found.Permitted, wanted) && found.Excluded == nil && cert.PermittedDNSDomainsCritical
}

// warnings say what the constraints leave open: those of one kind of name say
// nothing about names of another (RFC 5280, 4.2.1.10).
func (n permittedNames) warnings() []string {
	switch {
	case len(n.dns) > 0 && len(n.ips) == 0:
		return []string{"only DNS names are limited: this CA may still issue for every IP address; limit them, too, with --permit-ip"}
	case len(n.dns) == 0 && len(n.ips) > 0:
		return []string{"only IP addresses are limited: this CA may still issue for every DNS name; limit them, too, with --permit-dns"}
	}
	return nil
}

// oidNameConstraints is id-ce-nameConstraints (RFC 5280, 4.2.1.10).
var oidNameConstraints = asn1.ObjectIdentifier{2, 5, 29, 30}

// checkNames refuses a prepared certificate with a name that the CA, or one
// above it, is not permitted to certify, before any key of theirs is used.
// crypto/x509 decides: each CA that has constraints is stood in for by a
// self-signed one that has the same, and a key that is thrown away.
func (c *CA) checkNames(p *Prepared) error {
	c.limitsOnce.Do(func() { c.limitsAre, c.limitsErr = constrainedAmong(c.Bundle()) })
	for _, limited := range c.limitsAre {
		if err := limited.check(p.template); err != nil {
			return refusedName(err, limited.of)
		}
		if name := p.request.CommonName; looksLikeHost(p.template, name) {
			withName := *p.template
			withName.DNSNames = []string{strings.ToLower(name)}
			if limited.check(&withName) != nil {
				p.Warnings = append(p.Warnings, fmt.Sprintf(
					"OpenSSL takes the common name %q for a DNS name, which %s may not certify, and refuses the certificate; Kubernetes does not",
					name, FormatName(limited.of.RawSubject)))
			}
		}
	}
	return c.limitsErr
}

// looksLikeHost says whether OpenSSL holds a common name against the
// constraints of DNS names: there is no alternative one, and it has a dot.
func looksLikeHost(t *x509.Certificate, commonName string) bool {
	return len(t.DNSNames) == 0 && strings.Contains(commonName, ".") && isHostName(strings.ToLower(commonName))
}

func refusedName(err error, issuer *x509.Certificate) error {
	const hint = "leave the name out, or issue from a CA that may certify it"
	limits := nameConstraints(issuer)
	var invalid x509.CertificateInvalidError
	if !errors.As(err, &invalid) || limits == nil {
		// Such as constraints of directory names, which crypto/x509 cannot check
		// and every verifier of Kubernetes therefore refuses.
		return failure.Wrap(err, failure.Refused, "issue from another CA",
			"the name constraints of CA %q let nothing be issued", FormatName(issuer.RawSubject))
	}
	var parts []string
	if limits.Permitted != nil {
		parts = append(parts, "permitted are "+strings.Join(limits.Permitted, ", "))
	}
	if limits.Excluded != nil {
		parts = append(parts, "excluded are "+strings.Join(limits.Excluded, ", "))
	}
	name := invalid.Detail // as in: DNS name "a.example" is not permitted by any constraint
	for _, rest := range []string{" is not permitted by ", " is excluded by "} {
		name, _, _ = strings.Cut(name, rest)
	}
	return failure.New(failure.Refused, hint, "CA %q may not certify %s: %s",
		FormatName(issuer.RawSubject), name, strings.Join(parts, ", and "))
}

// constrained stands in for a CA that has name constraints.
type constrained struct {
	of   *x509.Certificate
	cert *x509.Certificate // self-signed, with the same constraints
	key  crypto.Signer
}

// constrainedAmong returns stand-ins for those of the CAs that have constraints.
func constrainedAmong(authorities []*x509.Certificate) ([]*constrained, error) {
	var found []*constrained
	for _, of := range authorities {
		i := slices.IndexFunc(of.Extensions, func(e pkix.Extension) bool { return e.Id.Equal(oidNameConstraints) })
		if i < 0 {
			continue
		}
		limited, err := newConstrained(of, of.Extensions[i])
		if err != nil {
			return nil, err
		}
		found = append(found, limited)
	}
	return found, nil
}

func newConstrained(of *x509.Certificate, constraints pkix.Extension) (*constrained, error) {
	key, err := GenerateKey(ECDSAP256)
	if err != nil {
		return nil, err
	}
	rawSubject, err := subject(nil, "constraints")
	if err != nil {
		return nil, err
	}
	t := &x509.Certificate{
		RawSubject: rawSubject, SerialNumber: big.NewInt(1), SubjectKeyId: []byte{1}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<35, 0), ExtraExtensions: []pkix.Extension{constraints},
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	return &constrained{of: of, cert: cert, key: key}, err
}

// check signs a template and verifies the result.
func (c *constrained) check(template *x509.Certificate) error {
	der, err := x509.CreateCertificate(rand.Reader, template, c.cert, template.PublicKey, c.key)
	if err != nil {
		return err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return err
	}
	_, err = cert.Verify(x509.VerifyOptions{
		Roots: newPool([]*x509.Certificate{c.cert}), CurrentTime: template.NotBefore,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	return err
}

// PermittedNames lists the names that a CA may certify, as in
// "DNS:example.com" or "IP:10.0.0.0/8". There are none where it has no limit.
func PermittedNames(cert *x509.Certificate) []string {
	if limits := nameConstraints(cert); limits != nil {
		return limits.Permitted
	}
	return nil
}
