package ca

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"slices"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/shell"
)

// Sign returns a certificate request (PKCS#10, RFC 2986) in PEM form for the
// subject and the alternative names, signed with the key that it is for.
func (r Request) Sign(key crypto.Signer) ([]byte, error) {
	return r.signWith(key, nil)
}

// ExplainSign returns the openssl commands, for a POSIX shell, that make a key of
// the request's kind, unless it is there, and what Sign returns.
func (r Request) ExplainSign(keyPath, requestPath string, hasKey bool) string {
	lines := "# a key and a certificate request for " + shell.Quote(r.CommonName) + "\n"
	if !hasKey {
		lines += "(umask 077; openssl genpkey " + genpkey(r.Key) + " -out " + shell.Quote(keyPath) + ")\n"
	}
	lines += "openssl req -new -utf8 -key " + shell.Quote(keyPath) + " -subj " + shell.Quote(opensslSubject(r.Groups, r.CommonName))
	if names := opensslNames(r.SANs); names != "" {
		lines += " -addext " + shell.Quote("subjectAltName="+names)
	}
	return lines + " -out " + shell.Quote(requestPath) + "\n"
}

// EncodeRequest encodes a certificate request as PEM.
func EncodeRequest(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
}

// X509 returns the request as crypto/x509 reads it. Whether its signature is
// valid is for Check to say.
func (r *CertificateRequest) X509() *x509.CertificateRequest { return r.request }

// Info returns the extensions that the request asks for.
func (r *CertificateRequest) Info() RequestedInfo { return r.info }

// Groups returns the organizations of the subject in their order.
func (r *CertificateRequest) Groups() []string { return r.groups }

// Check says whether the request itself is sound: signed with its own key,
// which is not weak, and, unless mayBeCA, not for a CA. Of what is refused,
// Allowances let some through, with a warning.
func (r *CertificateRequest) Check(mayBeCA bool, allow ...string) (warnings []string, err error) {
	t := taking{CertificateRequest: r, allow: allow}
	for _, p := range r.problems {
		switch {
		case p.ca && mayBeCA:
		case p.allow == "":
			return nil, t.refuse(p.hint, "%s", p.what)
		default:
			if err := t.refuseUnless(p.allow, p.hint, p.what); err != nil {
				return nil, err
			}
		}
	}
	return t.warnings, nil
}

// Subject returns the one common name of the request, and its groups. Names
// that cannot be printed, or are longer than X.509 allows, are errors of kind
// Refused.
func (r *CertificateRequest) Subject() (commonName string, groups []string, err error) {
	t := taking{CertificateRequest: r}
	const hint = "ask its owner for a new request, as pkictl csr new makes it"
	if len(r.commonNames) != 1 {
		return "", nil, t.refuse(hint, "it has %s, where one is needed", count(len(r.commonNames), "common name"))
	}
	err = checkName("common name", r.commonNames[0])
	if err == nil {
		err = checkGroups(r.groups)
	}
	if err != nil {
		return "", nil, failure.Wrap(err, failure.Refused, hint, "certificate request %q", r.name)
	}
	return r.commonNames[0], r.groups, nil
}

func count(n int, what string) string {
	switch n {
	case 0:
		return "no " + what
	case 1:
		return "one " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// IsReserved says whether a name begins as those do which Kubernetes and
// kubeadm keep for themselves: system: and kubeadm:.
func IsReserved(name string) bool { return isReserved(name) }

// CheckAllowance checks one of the names that IssueOptions.Allow takes. The
// error lists them.
func CheckAllowance(name string) error { return checkAllowance(name) }

// KeyWarnings says what to know before a key of that kind is used.
func KeyWarnings(kind string) []string {
	if kind == string(Ed25519) {
		return []string{ed25519Warning}
	}
	return nil
}

// UsagesOf returns the usages of the certificates of a built-in profile for that
// public key, in the words of Kubernetes' certificates API.
func UsagesOf(profile string, pub crypto.PublicKey) ([]string, error) {
	p, err := BuiltinProfile(profile)
	if err != nil {
		return nil, err
	}
	usages := p.usageWords()
	if p.keyUsage(pub)&x509.KeyUsageKeyEncipherment == 0 {
		usages = slices.DeleteFunc(usages, func(usage string) bool { return usage == "key encipherment" })
	}
	return usages, nil
}
