package ca

import (
	"fmt"
	"slices"
	"time"

	zx509 "github.com/zmap/zcrypto/x509"
	"github.com/zmap/zlint/v3/lint"

	"github.com/pkictl/pkictl/internal/failure"
)

// Severity says how bad a finding is.
type Severity string

// The severities, from what is worth knowing to what breaks.
const (
	SeverityInfo  Severity = "info"
	SeverityWarn  Severity = "warn"
	SeverityError Severity = "error"
)

// Severities lists the severities, the least first.
func Severities() []string {
	return []string{string(SeverityInfo), string(SeverityWarn), string(SeverityError)}
}

// ParseSeverity returns the severity with that name.
func ParseSeverity(name string) (Severity, error) {
	if !slices.Contains(Severities(), name) {
		return "", failure.New(failure.Usage, suggest(name, Severities()), "unknown severity %q", name)
	}
	return Severity(name), nil
}

// AtLeast says whether a severity is another, or worse.
func (s Severity) AtLeast(other Severity) bool {
	return slices.Index(Severities(), string(s)) >= slices.Index(Severities(), string(other))
}

// Finding is what a lint says of a certificate, revocation list or request.
type Finding struct {
	Block    int      `json:"block,omitempty"` // number of the PEM block, from 1
	Kind     ItemKind `json:"kind"`
	Subject  string   `json:"subject"` // of a revocation list its issuer
	Lint     string   `json:"lint"`
	Severity Severity `json:"severity"`
	Details  string   `json:"details"`
	Citation string   `json:"citation,omitempty"`
}

// LintOptions is what the lints have to know beside what they look at.
type LintOptions struct {
	Now time.Time
	CA  *CA // nil: none; what it has issued is compared with it
}

// Lint runs the lints on the certificates, revocation lists and requests among
// items: zlint's for the RFCs and of its community, and those for what the parts
// of Kubernetes need, whose names begin with k8s_. The worst of an item comes
// first.
func Lint(items []Item, o LintOptions) []Finding {
	var all []Finding
	for _, item := range items {
		l := linter{finding: Finding{Block: item.Block, Kind: item.Kind}, options: o}
		switch {
		case item.Certificate != nil:
			l.finding.Subject = item.Certificate.Subject
			l.certificate(item.Certificate)
		case item.CRL != nil:
			l.finding.Subject = item.CRL.Issuer
			l.revocationList(item.CRL)
		case item.Request != nil:
			l.finding.Subject = item.Request.Subject
			l.request(item.Request)
		}
		slices.SortStableFunc(l.found, func(a, b Finding) int {
			if a.Severity.AtLeast(b.Severity) == b.Severity.AtLeast(a.Severity) {
				return 0
			} else if a.Severity.AtLeast(b.Severity) {
				return -1
			}
			return 1
		})
		all = append(all, l.found...)
	}
	return all
}

// linter collects what is found in one item.
type linter struct {
	finding Finding // its item
	options LintOptions
	found   []Finding
}

func (l *linter) add(severity Severity, name, citation, format string, args ...any) {
	finding := l.finding
	finding.Lint, finding.Severity, finding.Citation = name, severity, citation
	finding.Details = fmt.Sprintf(format, args...)
	l.found = append(l.found, finding)
}

func (l *linter) certificate(info *CertificateInfo) {
	cert, err := zx509.ParseCertificate(info.X509.Raw)
	if err != nil {
		l.add(SeverityError, "zlint_parse", "", "zlint cannot read it: %v", err)
	} else {
		registry := lint.GlobalRegistry()
		for _, source := range lintSources {
			for _, lint := range registry.CertificateLints().BySource(source) {
				l.run(lint.LintMetadata, func() *lintResult { return lint.Execute(cert, registry.GetConfiguration()) })
			}
		}
	}
	l.kubernetes(info)
}

func (l *linter) revocationList(info *CRLInfo) {
	crl, err := zx509.ParseRevocationList(info.raw)
	if err != nil {
		l.add(SeverityError, "zlint_parse", "", "zlint cannot read it: %v", err)
	} else {
		registry := lint.GlobalRegistry()
		for _, source := range lintSources {
			for _, lint := range registry.RevocationListLints().BySource(source) {
				l.run(lint.LintMetadata, func() *lintResult { return lint.Execute(crl, registry.GetConfiguration()) })
			}
		}
	}
	if next := info.NextUpdate; next != nil && next.Before(l.options.Now) {
		l.add(SeverityInfo, "crl_expired", "RFC 5280: 5.1.2.5", "the next one was due on %s", next.Format(time.DateOnly))
	}
}

// request reports what keeps a certificate request from being signed.
func (l *linter) request(info *RequestInfo) {
	r, err := newCertificateRequest(info.x509, "request")
	if err != nil {
		l.add(SeverityError, "request_parse", "RFC 2986", "%v", err)
		return
	}
	for _, p := range r.problems {
		name := "request_refused"
		if p.allow != "" {
			name = "request_" + p.allow
		}
		l.add(SeverityError, name, "RFC 2986", "%s", p.what)
	}
	if len(r.commonNames) != 1 {
		l.add(SeverityWarn, "request_common_name", "", "it has %d common names", len(r.commonNames))
	}
	for _, ignored := range r.ignored {
		l.add(SeverityInfo, "request_ignored", "", "a certificate does not take this: %s", ignored)
	}
	l.subjectRules(r.commonNames, r.groups, true)
}

type lintResult = lint.LintResult

// run runs a lint of zlint. One that panics on odd input finds something, too.
func (l *linter) run(meta lint.LintMetadata, execute func() *lintResult) {
	defer func() {
		if problem := recover(); problem != nil {
			l.add(SeverityError, meta.Name, meta.Citation, "zlint cannot cope with it: %v", problem)
		}
	}()
	result := execute()
	severity := SeverityError
	switch {
	case result.Status < lint.Notice:
		return
	case result.Status == lint.Notice:
		severity = SeverityInfo
	case result.Status == lint.Warn:
		severity = SeverityWarn
	}
	details := meta.Description
	if result.Details != "" {
		details += " (" + result.Details + ")"
	}
	l.add(severity, meta.Name, meta.Citation, "%s", details)
}
