package ca

import (
	"context"
	"crypto"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pkictl/pkictl/internal/failure"
)

// CheckStatus is the outcome of a Check.
type CheckStatus string

// The outcomes of a check.
const (
	CheckOK      CheckStatus = "ok"
	CheckFailed  CheckStatus = "fail"
	CheckSkipped CheckStatus = "skipped"
)

// Check is one thing that was looked at.
type Check struct {
	Name   string      `json:"name"`
	Status CheckStatus `json:"status"`
	Wanted string      `json:"wanted,omitempty"`
	Found  string      `json:"found,omitempty"`
	Reason string      `json:"reason,omitempty"` // why it was skipped
	Hint   string      `json:"hint,omitempty"`
}

// ok and failed complete a check that has a name and what is wanted.
func (c Check) ok(found string) Check {
	c.Status, c.Found = CheckOK, found
	return c
}

func (c Check) failed(found, hint string) Check {
	c.Status, c.Found, c.Hint = CheckFailed, found, hint
	return c
}

// SkippedCheck is a check that was not made.
func SkippedCheck(name, reason string) Check {
	return Check{Name: name, Status: CheckSkipped, Reason: reason}
}

// PassedCheck is a check that found what was wanted.
func PassedCheck(name, wanted, found string) Check {
	return Check{Name: name, Wanted: wanted}.ok(found)
}

// FailedCheck is a check that found something else.
func FailedCheck(name, wanted, found, hint string) Check {
	return Check{Name: name, Wanted: wanted}.failed(found, hint)
}

// Purpose is what a certificate is to be used for.
type Purpose string

// The purposes; without one it is what the certificate itself says.
const (
	PurposeClient Purpose = "client"
	PurposeServer Purpose = "server"
	PurposeAny    Purpose = "any"
)

// Purposes lists the names that ParsePurpose knows.
func Purposes() []string {
	return []string{string(PurposeClient), string(PurposeServer), string(PurposeAny)}
}

// ParsePurpose returns the purpose with that name, none for an empty one.
func ParsePurpose(name string) (Purpose, error) {
	if name == "" || slices.Contains(Purposes(), name) {
		return Purpose(name), nil
	}
	return "", failure.New(failure.Usage, "choose one of "+strings.Join(Purposes(), ", "), "unknown purpose %q", name)
}

// VerifyOptions is what the command verify takes.
type VerifyOptions struct {
	Dir  string
	Name string // what results call the certificate
	// Certificates are the one to verify, and others that may stand between
	// it and the CA.
	Certificates []*x509.Certificate
	Key          crypto.PublicKey // public part of the private key; nil: not checked
	KeyName      string           // what results call the key
	NoKey        string           // why Key is nil
	Host         string           // empty: not checked
	Purpose      Purpose
	// CRL is the revocation list to look into. Without one it is that in the
	// PKI directory, if there is one.
	CRL *CRL
	Now time.Time
}

// Verification is what Verify found.
type Verification struct {
	OK      bool      `json:"ok"` // no check failed
	Subject string    `json:"subject"`
	Serial  string    `json:"serial"`
	At      time.Time `json:"at"`
	Checks  []Check   `json:"checks"`
}

// Add adds a check.
func (v *Verification) Add(check Check) {
	v.Checks = append(v.Checks, check)
	v.OK = v.OK && check.Status != CheckFailed
}

// Verify checks a certificate against the CA in o.Dir: its chain, time, usage,
// host name and key, and what the inventory and the revocation list say of it.
// An error means that it could not be checked; what is wrong with the
// certificate is in the checks.
func Verify(ctx context.Context, o VerifyOptions) (*Verification, error) {
	authority, err := Open(o.Dir)
	if err != nil {
		return nil, err
	}
	cert, others := o.Certificates[0], o.Certificates[1:]
	root := Roots{Name: CertPath(o.Dir), Certificates: []*x509.Certificate{authority.Certificate}}
	chain, chainCheck := root.Check(cert, others, o.Now)
	inventory, err := checkInventory(ctx, o, authority, chain)
	if err != nil {
		return nil, err
	}
	v := &Verification{
		OK: true, Subject: FormatName(cert.RawSubject), Serial: FormatSerial(cert.SerialNumber), At: o.Now.UTC(),
	}
	v.Add(chainCheck)
	if len(authority.Chain) > 0 {
		v.Add(authority.checkAbove(cert, others, chain != nil, o.Now))
	}
	v.Add(CheckTime(cert, IssuerIn(chain), o.Now))
	v.Add(CheckUsage(cert, o.Purpose))
	v.Add(checkHost(o))
	v.Add(checkKey(o))
	v.Add(inventory)
	v.Add(checkRevocation(o, chain))
	return v, nil
}

// checkAbove checks, for one who trusts the root alone, that the chain goes on
// from an intermediate CA to it: its limits hold, too, and its end.
func (c *CA) checkAbove(cert *x509.Certificate, others []*x509.Certificate, isIssued bool, now time.Time) Check {
	top := c.Chain[len(c.Chain)-1]
	root := Roots{Name: ChainPath(c.Dir), Certificates: []*x509.Certificate{top}}
	if !isIssued { // the chain's own check says why
		return SkippedCheck("root", "there is no chain to the CA below it")
	}
	chain, check := root.Check(cert, slices.Concat(c.Bundle(), others), now)
	check.Name = "root"
	for _, issuer := range chain {
		if issuer.IsCA && check.Status == CheckOK && (now.Before(issuer.NotBefore) || now.After(issuer.NotAfter)) {
			return check.failed(fmt.Sprintf("%s is valid from %s until %s only",
				FormatName(issuer.RawSubject), showTime(issuer.NotBefore), showTime(issuer.NotAfter)), "issue from a CA that is valid")
		}
	}
	return check
}

// IssuerIn returns the issuer of a chain's first certificate, nil where there
// is no chain.
func IssuerIn(chain []*x509.Certificate) *x509.Certificate {
	switch len(chain) {
	case 0:
		return nil
	case 1: // the CA itself
		return chain[0]
	}
	return chain[1]
}

func checkHost(o VerifyOptions) Check {
	if o.Host == "" {
		return SkippedCheck("host", "no host was given")
	}
	return CheckHost(o.Certificates[0], o.Host)
}

func checkKey(o VerifyOptions) Check {
	if o.Key == nil {
		return SkippedCheck("key", o.NoKey)
	}
	return CheckKey(o.Certificates[0], o.Name, o.Key, o.KeyName)
}

// CheckKey checks that a key, of which it takes the public part, is the
// certificate's. The names are what the result calls them.
func CheckKey(cert *x509.Certificate, certName string, key crypto.PublicKey, keyName string) Check {
	check := Check{Name: "key", Wanted: "the " + KeyName(cert.PublicKey) + " key of " + certName}
	if !EqualKeys(key, cert.PublicKey) {
		return check.failed("another "+KeyName(key)+" key in "+keyName, "find the key that the certificate was made for, or issue both again")
	}
	return check.ok("it in " + keyName)
}

// checkInventory looks up the certificate. An inventory knows what this CA
// signed, not what its intermediates did; of those it knows the certificate.
func checkInventory(ctx context.Context, o VerifyOptions, authority *CA, chain []*x509.Certificate) (Check, error) {
	cert := o.Certificates[0]
	const name = "inventory"
	found := func(cert *x509.Certificate) ([]Entry, error) {
		return List(ctx, ListOptions{Dir: o.Dir, Serial: cert.SerialNumber, Now: o.Now, WithPEM: true})
	}
	if issuer := IssuerIn(chain); issuer == nil || !issuer.Equal(authority.Certificate) {
		below := belowIn(chain, authority.Certificate)
		if below == nil {
			return SkippedCheck(name, "the CA in "+o.Dir+" did not issue it itself"), nil
		}
		entries, err := found(below)
		if err == nil && len(entries) > 0 && entries[0].State == StateRevoked {
			check := Check{Name: name, Wanted: "an issuer that is not revoked"}
			return check.failed(FormatName(below.RawSubject)+" is revoked", "issue it from another CA"), nil
		}
		return SkippedCheck(name, FormatName(below.RawSubject)+" issued it, and has an inventory of its own"), err
	}
	check := Check{Name: name, Wanted: "serial " + FormatSerial(cert.SerialNumber) + " recorded and not revoked"}
	entries, err := found(cert)
	if err != nil {
		return Check{}, err
	}
	if len(entries) > 0 {
		return recorded(check, entries[0], cert), nil
	}
	entries, err = found(authority.Certificate)
	if err != nil {
		return Check{}, err
	}
	if len(entries) == 0 {
		return SkippedCheck(name, "the CA itself is in no inventory in "+o.Dir+", so what it issued need not be"), nil
	}
	return check.failed("not recorded", "somebody signed it with the CA's key and another tool; find out who"), nil
}

// belowIn returns the CA that the given one signed in a chain, nil if the given
// one is not in it.
func belowIn(chain []*x509.Certificate, authority *x509.Certificate) *x509.Certificate {
	if i := slices.IndexFunc(chain, authority.Equal); i > 0 {
		return chain[i-1]
	}
	return nil
}

func recorded(check Check, entry Entry, cert *x509.Certificate) Check {
	switch {
	case entry.State == StateRevoked:
		return check.failed("revoked on "+showTime(*entry.RevokedAt)+" for the reason "+entry.Reason, "issue another one")
	case entry.State == StateIncomplete:
		return check.failed("incomplete: the command that took the serial was killed", "do not use it; issue another one")
	case entry.PEM != string(EncodeCertificates(cert)):
		return check.failed("recorded for another certificate, of "+entry.CommonName, "do not use it; issue another one")
	}
	return check.ok("recorded on " + entry.IssuedAt.Format(time.DateTime) + " UTC")
}
