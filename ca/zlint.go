package ca

import (
	"fmt"
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

// zlintResult is what one of zlint's lints says.
type zlintResult struct {
	lint.LintMetadata
	status  lint.LintStatus
	details string
	// problem is why the lint cannot judge, such as what it died of on odd
	// input. Its status is lint.Fatal.
	problem string
}

// zlintCertificate calls report with each result of zlint for a certificate in
// DER form. The error says that zlint cannot read it.
func zlintCertificate(der []byte, report func(zlintResult)) error {
	cert, err := zx509.ParseCertificate(der)
	if err != nil {
		return err
	}
	registry := lint.GlobalRegistry()
	eachLint(registry.CertificateLints().BySource, func(l *lint.CertificateLint) {
		report(executeLint(l.LintMetadata, func() *lint.LintResult { return l.Execute(cert, registry.GetConfiguration()) }))
	})
	return nil
}

// zlintCRL is zlintCertificate for a revocation list.
func zlintCRL(der []byte, report func(zlintResult)) error {
	list, err := zx509.ParseRevocationList(der)
	if err != nil {
		return err
	}
	registry := lint.GlobalRegistry()
	eachLint(registry.RevocationListLints().BySource, func(l *lint.RevocationListLint) {
		report(executeLint(l.LintMetadata, func() *lint.LintResult { return l.Execute(list, registry.GetConfiguration()) }))
	})
	return nil
}

// eachLint calls do with the lints of lintSources. Registry.Filter would sort
// all lints anew, which costs as much as issuing a certificate.
func eachLint[L any](bySource func(lint.LintSource) []L, do func(L)) {
	for _, source := range lintSources {
		for _, l := range bySource(source) {
			do(l)
		}
	}
}

// executeLint runs a lint, and survives it.
func executeLint(meta lint.LintMetadata, execute func() *lint.LintResult) (result zlintResult) {
	result.LintMetadata = meta
	defer func() {
		if problem := recover(); problem != nil {
			result.status, result.problem = lint.Fatal, fmt.Sprint(problem)
		}
	}()
	r := execute()
	if result.status = r.Status; r.Status == lint.Fatal { // zlint has caught some itself
		result.problem = r.Details
	} else {
		result.details = r.Details
	}
	return result
}

// lintErrors collects what keeps a certificate or revocation list from being
// signed: each lint that ends in a warning or worse.
type lintErrors struct{ found, undecided []string }

func (e *lintErrors) report(r zlintResult) {
	switch {
	case r.status == lint.Fatal:
		e.undecided = append(e.undecided, r.Name+": "+r.problem)
	case r.status >= lint.Warn:
		e.found = append(e.found, strings.TrimSpace(r.Name+" "+r.details))
	}
}

// err names them all; what is what was linted.
func (e *lintErrors) err(kind failure.Kind, hint, what string) error {
	slices.Sort(e.found)
	switch {
	case e.found != nil:
		return failure.New(kind, hint, "%s would not pass zlint: %s", what, strings.Join(e.found, "; "))
	case e.undecided != nil:
		return failure.New(kind, hint, "zlint cannot judge %s: %s", what, strings.Join(e.undecided, "; "))
	}
	return nil
}
