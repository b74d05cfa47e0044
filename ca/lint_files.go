package ca

import (
	"fmt"
	"slices"
	"time"

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
		return "", failure.New(failure.Usage, failure.Suggest(name, Severities()), "unknown severity %q", name)
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
	if err := zlintCertificate(info.X509.Raw, l.zlint); err != nil {
		l.add(SeverityError, "zlint_parse", "", "zlint cannot read it: %v", err)
	}
	l.kubernetes(info)
}

func (l *linter) revocationList(info *CRLInfo) {
	if err := zlintCRL(info.raw, l.zlint); err != nil {
		l.add(SeverityError, "zlint_parse", "", "zlint cannot read it: %v", err)
	}
	if next := info.NextUpdate; next != nil && next.Before(l.options.Now) {
		l.add(SeverityInfo, "crl_expired", "RFC 5280: 5.1.2.5", "the next one was due on %s", next.Format(time.DateOnly))
	}
}

// request reports what keeps a certificate request from being signed.
func (l *linter) request(info *RequestInfo) {
	r, err := newCertificateRequest(info.X509, "request")
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

// zlint adds what a lint of zlint says. One that dies of odd input finds
// something, too.
func (l *linter) zlint(r zlintResult) {
	if r.status == lint.Fatal {
		l.add(SeverityError, r.Name, r.Citation, "zlint cannot judge it: %s", r.problem)
		return
	}
	severity := SeverityError
	switch {
	case r.status < lint.Notice:
		return
	case r.status == lint.Notice:
		severity = SeverityInfo
	case r.status == lint.Warn:
		severity = SeverityWarn
	}
	details := r.Description
	if r.details != "" {
		details += " (" + r.details + ")"
	}
	l.add(severity, r.Name, r.Citation, "%s", details)
}
