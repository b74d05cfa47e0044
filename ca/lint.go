package ca

import "github.com/pkictl/pkictl/internal/failure"

const lintHint = "change the name or option that this speaks of; nothing was signed"

// lintCertificate runs zlint on a certificate in DER form and returns an error
// that names every lint which ends in a warning or worse.
func lintCertificate(der []byte) error {
	var e lintErrors
	if err := zlintCertificate(der, e.report); err != nil {
		return failure.Wrap(err, failure.Usage, lintHint, "zlint cannot read the certificate")
	}
	return e.err(failure.Usage, lintHint, "the certificate")
}

// lintCRL is lintCertificate for a revocation list.
func lintCRL(der []byte) error {
	const hint = "correct what this speaks of in the inventory; nothing was published"
	var e lintErrors
	if err := zlintCRL(der, e.report); err != nil {
		return failure.Wrap(err, failure.Failed, hint, "zlint cannot read the revocation list")
	}
	return e.err(failure.Failed, hint, "the revocation list")
}
