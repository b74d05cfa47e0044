package ca

import (
	"crypto/x509"
	"fmt"
	"slices"
	"time"

	"github.com/cloudflare/cfssl/config"

	"github.com/pkictl/pkictl/internal/failure"
)

// request returns the request that leads to the same certificate once more.
func (o RenewOptions) request(h *Holding) (Request, error) {
	old := h.Certificate
	req := Request{
		CommonName: old.Subject.CommonName, Groups: old.Subject.Organization, SANs: SANsOf(old),
		rawSubject: old.RawSubject, keyUsage: old.KeyUsage,
	}
	var err error
	switch {
	case o.ReuseKey:
		req.PublicKey = old.PublicKey
	case o.Key != "":
		req.Key, err = ParseKeyKind(o.Key)
	default:
		if req.Key, err = ParseKeyKind(KeyName(old.PublicKey)); err != nil {
			err = failure.New(failure.Usage, "choose a kind with --key", "its key is of the kind %s, which is not made anew", KeyName(old.PublicKey))
		}
	}
	if err != nil {
		return req, err
	}
	if o.Validity != "" {
		if req.Validity, err = ParseValidity(o.Validity); err != nil {
			return req, err
		}
	}
	if req.Profile, err = profileOf(old, h.validity()); err != nil {
		return req, err
	}
	req.Profile.name = h.Profile
	return req, o.limit(h, &req)
}

// limit has the limits of the certificate's profile hold for the new one. The
// inventory knows a profile by its name; what it allows is in its file. Without
// that, nothing but what the profile has allowed before is sure to be allowed.
func (o RenewOptions) limit(h *Holding, req *Request) error {
	isBuiltin := slices.Contains(append(ProfileNames(), profileImported, ""), h.Profile)
	if o.Profiles != nil && (!isBuiltin || slices.Contains(o.Profiles.Names(), h.Profile)) {
		profile, err := o.Profiles.Get(h.Profile)
		req.Profile.limits, req.Profile.file = profile.limits, profile.file
		return err
	}
	asked := ""
	switch before := h.validity(); {
	case isBuiltin:
	case o.Key != "" && o.Key != KeyName(h.Certificate.PublicKey):
		asked = "a key of the kind " + o.Key
	case req.Validity-before >= time.Second: // the inventory's times are in whole ones
		asked = fmt.Sprintf("%s in place of %s", FormatValidity(req.Validity), FormatValidity(before))
	}
	if asked == "" {
		return nil
	}
	return failure.New(failure.Refused, "name the file of the profile with --profile-file",
		"nothing says whether profile %q of %q allows %s", h.Profile, h.Name, asked)
}

// profileOf returns a profile that leads to the usages of a certificate.
func profileOf(cert *x509.Certificate, validity time.Duration) (Profile, error) {
	raw := config.SigningProfile{
		Expiry: validity, OCSP: first(cert.OCSPServer), CRL: first(cert.CRLDistributionPoints),
		IssuerURL: cert.IssuingCertificateURL,
	}
	for _, id := range cert.PolicyIdentifiers {
		raw.Policies = append(raw.Policies, config.CertificatePolicy{ID: config.OID(id)})
	}
	for _, usage := range cert.ExtKeyUsage {
		name := usageName(usage)
		if name == "" {
			return Profile{}, foreignUsage(cert, fmt.Sprintf("%s (%s)", usage, usage.OID()))
		}
		raw.Usage = append(raw.Usage, name)
	}
	switch {
	case len(cert.UnknownExtKeyUsage) > 0:
		return Profile{}, foreignUsage(cert, cert.UnknownExtKeyUsage[0].String())
	case len(raw.Usage) == 0:
		return Profile{}, failure.New(failure.Failed, "issue one that says what it is for with: pkictl issue --profile client, server or peer",
			"the certificate of %q has no extended key usage, so that it is good for everything", cert.Subject.CommonName)
	}
	return NewProfile("", raw)
}

// usageName returns one of the names that a profile has for an extended usage,
// an empty one if it has none.
func usageName(usage x509.ExtKeyUsage) string {
	for name, known := range config.ExtKeyUsage {
		if known == usage {
			return name // the others are other names of the same
		}
	}
	return ""
}

func foreignUsage(cert *x509.Certificate, usage string) error {
	return failure.New(failure.Failed, "make it with what made the old one, or issue one without it with: pkictl issue",
		"the certificate of %q has the extended key usage %s, which pkictl does not write", cert.Subject.CommonName, usage)
}

// first returns the first of several addresses: a profile has room for one.
func first(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

// validity returns for how long a certificate was made. Its beginning is no sure
// sign of when that was: pkictl and kube-controller-manager put it back by
// Backdate, and kubeadm to the beginning of the CA, however long ago.
func (h *Holding) validity() time.Duration {
	cert := h.Certificate
	validity := cert.NotAfter.Sub(cert.NotBefore)
	switch {
	case cert.NotAfter.After(h.issued) && h.issued.After(cert.NotBefore):
		return cert.NotAfter.Sub(h.issued.Truncate(time.Second)) // certificates know no fractions of one
	case h.beginsWithCA:
		return min(validity, Year) // as kubeadm makes them
	case validity > Backdate && validity%time.Hour == Backdate:
		return validity - Backdate
	}
	return validity
}

// isOfAYear says whether a certificate that began with its CA was made for a
// year all the same: kubeadm's kubeconfigs are a moment younger than their CA.
func (h *Holding) isOfAYear() bool {
	more := h.Certificate.NotAfter.Sub(h.Certificate.NotBefore) - Year
	return more >= 0 && more < Day
}
