package ca

import (
	"slices"
	"strings"

	zx509 "github.com/zmap/zcrypto/x509"
	_ "github.com/zmap/zlint/v3" // registers the lints
	"github.com/zmap/zlint/v3/lint"

	"github.com/pkictl/pkictl/internal/failure"
)

// lintSources are the rules that hold for every PKI. Those of browsers and of
// public CAs (CABF, Mozilla, Apple, ETSI) ask for things that a cluster's own
// PKI neither has nor needs, such as public names and revocation services.
var lintSources = lint.SourceList{
	lint.RFC3279, lint.RFC5280, lint.RFC5480, lint.RFC5891, lint.RFC8813, lint.Community,
}

const lintHint = "change the name or option that this speaks of; nothing was signed"

// lintCertificate runs zlint on a certificate in DER form and returns an error
// that names every lint which ends in a warning or worse.
func lintCertificate(der []byte) error {
	cert, err := zx509.ParseCertificate(der)
	if err != nil {
		return failure.Wrap(err, failure.Usage, lintHint, "zlint cannot read the certificate")
	}
	registry := lint.GlobalRegistry()
	var found []string
	for _, source := range lintSources {
		// Registry.Filter would sort all lints anew, which costs as much as
		// issuing a certificate.
		for _, l := range registry.CertificateLints().BySource(source) {
			if result := l.Execute(cert, registry.GetConfiguration()); result.Status >= lint.Warn {
				found = append(found, strings.TrimSpace(l.Name+" "+result.Details))
			}
		}
	}
	if found == nil {
		return nil
	}
	slices.Sort(found)
	return failure.New(failure.Usage, lintHint,
		"the certificate would not pass zlint: %s", strings.Join(found, "; "))
}
