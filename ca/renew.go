package ca

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/shell"
	"github.com/pkictl/pkictl/internal/store"
)

// RenewOptions is what the command renew takes. Empty fields have defaults.
type RenewOptions struct {
	Dir      string
	Validity string // as ParseValidity reads it; as long as before if empty
	Key      string // name of a KeyKind; that of the old key if empty
	ReuseKey bool   // keep the key
	// Profiles are those of a file. The limits of the one under which the inventory
	// has a certificate hold for the new one. Nil: the built-in ones, without limits.
	Profiles *Profiles
	DryRun   bool // do everything but sign and write
	Now      time.Time
	Waiting  func()
	// Passphrase is asked for that of the CA's key, where LoadKey did not come
	// before. It may be nil.
	Passphrase Passphrase

	// Also returns other files that hold the old certificate, with the new one
	// in its place, such as kubeconfigs. It may be nil. KeyPEM of the new
	// credential is nil where the key is kept.
	Also func(old *Holding, renewed Credential) ([]store.File, error)
}

// Holding is a certificate of the CA, and where it stands.
type Holding struct {
	Certificate *x509.Certificate
	Name        string // what results call it
	Profile     string
	CertPath    string   // empty: in none but other files
	KeyPath     string   //
	Also        []string // other files that were written with it, or hold it

	out          string    // where the inventory says that it stands; empty: nowhere
	issued       time.Time // zero where the inventory does not know
	beginsWithCA bool      // so that nothing says when it was issued
}

// Renewal is what became of a Holding.
type Renewal struct {
	*Holding
	Renewed  *x509.Certificate // with DryRun signed by a key that was thrown away
	Written  []string          // files
	Warnings []string
}

// Renew makes a new certificate with the subject, names and usages of the old
// one, and puts it in all places of the old one as one step. Until the new one
// was verified nothing is touched. If the CA's key needs a passphrase, LoadKey
// has to come before.
func (c *CA) Renew(ctx context.Context, h *Holding, o RenewOptions) (*Renewal, error) {
	req, err := o.request(h)
	if err != nil {
		return nil, err
	}
	if !c.hasSigned(h.Certificate) {
		return nil, fmt.Errorf("the certificate of %q is not one of CA %q", h.Name, c.place())
	}
	if err := o.checkHolding(h); err != nil {
		return nil, err
	}
	if err := c.loadKeyFor(o.DryRun, o.Passphrase); err != nil {
		return nil, err
	}
	p, warnings, err := c.prepareRenewal(h, req, o)
	if err != nil {
		return nil, err
	}
	renewal := &Renewal{Holding: h, Renewed: p.Linted, Warnings: append(p.Warnings, warnings...)}
	if o.DryRun {
		return renewal, nil
	}
	return renewal, o.write(ctx, c, p, renewal)
}

// prepareRenewal prepares a certificate in the place of another one. The
// warnings are those that say in what it is not like the old one.
func (c *CA) prepareRenewal(h *Holding, req Request, o RenewOptions) (p *Prepared, warnings []string, err error) {
	p, err = c.Prepare(req, o.Now)
	if failure.HintOf(err) == lintHint { // of which a renewal has none to change
		err = failure.Wrap(err, failure.KindOf(err), "make one with other names instead of renewing it; nothing was signed", "one like the old certificate is not made")
	}
	if err != nil {
		return nil, nil, err
	}
	if err := checkNames(h.Certificate, p.Linted); err != nil {
		return nil, nil, err
	}
	warnings = lostExtensions(h.Certificate, p.Linted)
	if h.beginsWithCA && !h.isOfAYear() && o.Validity == "" {
		warnings = append(warnings, fmt.Sprintf(
			"the old certificate began with its CA, so that it does not say for how long it was made; the new one is for %s, or as --validity says",
			FormatValidity(req.Profile.Validity())))
	}
	return p, warnings, nil
}

// checkNames refuses what would lose a name: crypto/x509 reads and writes DNS
// names, IP addresses, URIs and e-mail addresses, and passes over others.
func checkNames(old, renewed *x509.Certificate) error {
	missing, err := generalNames(old)
	if err != nil {
		return err
	}
	found, err := generalNames(renewed)
	if err != nil {
		return err
	}
	for _, name := range missing {
		if !slices.ContainsFunc(found, func(n asn1.RawValue) bool { return bytes.Equal(n.FullBytes, name.FullBytes) }) {
			return failure.New(failure.Failed, "make it with what made the old one",
				"the certificate of %q has an alternative name that pkictl cannot write, with the tag %d of RFC 5280, 4.2.1.6",
				old.Subject.CommonName, name.Tag)
		}
	}
	return nil
}

// generalNames returns the alternative names of a certificate as they are.
func generalNames(cert *x509.Certificate) ([]asn1.RawValue, error) {
	for _, extension := range cert.Extensions {
		if extension.Id.Equal(asn1.ObjectIdentifier{2, 5, 29, 17}) {
			var names []asn1.RawValue
			_, err := asn1.Unmarshal(extension.Value, &names)
			return names, err
		}
	}
	return nil, nil
}

// lostExtensions names what the old certificate has and the new one lacks.
func lostExtensions(old, renewed *x509.Certificate) []string {
	var lost []string
	for _, extension := range old.Extensions {
		found := false
		for _, other := range renewed.Extensions {
			found = found || other.Id.Equal(extension.Id)
		}
		if !found {
			lost = append(lost, extension.Id.String())
		}
	}
	var warnings []string
	if lost != nil {
		warnings = append(warnings, "the new certificate lacks the extensions "+strings.Join(lost, ", ")+" of the old one")
	}
	if len(old.CRLDistributionPoints) > 1 || len(old.OCSPServer) > 1 {
		warnings = append(warnings, "of several addresses of CRLs or OCSP servers the new certificate has the first")
	}
	return warnings
}

// checkHolding checks that the files still hold what is to be renewed: a pair
// that was changed by hand is not written over.
func (o RenewOptions) checkHolding(h *Holding) error {
	if h.CertPath == "" {
		return nil
	}
	cert, err := ReadCertificate(h.CertPath)
	if err != nil {
		return err
	}
	if !cert.Equal(h.Certificate) {
		return failure.New(failure.Failed, "see what it is with: pkictl inspect "+shell.Quote(h.CertPath),
			"%q holds another certificate than the one to renew", h.CertPath)
	}
	key, err := publicKeyBeside(h.KeyPath)
	if errors.Is(err, fs.ErrNotExist) {
		return failure.New(failure.Failed, "renew it where its key is, or sign a new request with: pkictl issue --csr FILE",
			"there is no key %q beside the certificate", h.KeyPath)
	}
	if err != nil {
		return err
	}
	if !EqualKeys(key, cert.PublicKey) {
		return failure.New(failure.Failed, "restore the pair from a backup, or issue a new one with: pkictl issue --force",
			"key %q does not belong to certificate %q", h.KeyPath, h.CertPath)
	}
	return nil
}

func (o RenewOptions) write(ctx context.Context, authority *CA, p *Prepared, r *Renewal) (err error) {
	var keyPEM []byte
	if p.key != nil {
		if keyPEM, err = MarshalKey(p.key); err != nil {
			return err
		}
	}
	dir, err := store.Lock(ctx, o.Dir, o.Waiting)
	if err != nil {
		return err
	}
	defer func() { release(dir, err) }()
	// Another process may have renewed it while this one waited.
	if err := o.checkHolding(r.Holding); err != nil {
		return err
	}
	inv, err := dir.Inventory()
	if err != nil {
		return err
	}
	defer inv.Close()
	// Or have revoked it.
	if err := authority.checkRevoked(ctx, inv, r.Certificate); err != nil {
		return err
	}
	renewed := &pending{
		meta:   r.metadata(o.Dir),
		linted: p.Linted,
		sign:   func() (*x509.Certificate, error) { return p.sign(authority.Certificate, authority.key) },
		files: func(cert *x509.Certificate) ([]store.File, error) {
			if err := checkRenewed(cert, authority, keyPEM, o.Now); err != nil {
				return nil, err
			}
			files, err := o.files(r.Holding, authority.credential(cert, keyPEM))
			for _, f := range files {
				r.Written = append(r.Written, f.Path)
			}
			return files, err
		},
	}
	err = issuance{inv: inv, dir: dir, now: o.Now, replace: true}.run(renewed)
	if err == nil {
		r.Renewed = renewed.cert
	}
	return err
}

// checkRevoked refuses a certificate that the inventory has as revoked.
func (c *CA) checkRevoked(ctx context.Context, inv *store.Inventory, cert *x509.Certificate) error {
	revoked, err := inv.List(ctx, store.Filter{Serial: cert.SerialNumber.String(), AKI: c.akiOf(cert), Status: store.StatusRevoked})
	if err == nil && len(revoked) > 0 {
		err = revokedError(cert)
	}
	return err
}

// metadata describes the new certificate as the old one was, with the places
// where it stands.
func (r *Renewal) metadata(dir string) Metadata {
	meta := Metadata{Name: r.Name, Groups: r.Certificate.Subject.Organization, Profile: r.Profile}
	switch {
	case r.CertPath != "":
		meta.Out = recordedPath(dir, strings.TrimSuffix(r.CertPath, ".crt"))
	case r.out != "":
		meta.Out = recordedPath(dir, r.out)
	case len(r.Also) > 0: // the kubeconfig that holds it, so that the next one replaces it
		meta.Out = recordedPath(dir, r.Also[0])
	}
	for _, path := range r.Also {
		meta.Also = append(meta.Also, recordedPath(dir, path))
	}
	return meta
}

// files returns all that is replaced.
func (o RenewOptions) files(h *Holding, renewed Credential) ([]store.File, error) {
	var files []store.File
	if h.CertPath != "" {
		if renewed.KeyPEM != nil {
			files = append(files, store.File{Path: h.KeyPath, Data: renewed.KeyPEM, Mode: 0o600, Keep: true})
		}
		certPEM, err := h.withChain(renewed)
		if err != nil {
			return nil, err
		}
		files = append(files, store.File{Path: h.CertPath, Data: certPEM, Mode: 0o644, Keep: true})
	}
	if o.Also != nil {
		also, err := o.Also(h, renewed)
		if err != nil {
			return nil, err
		}
		files = append(files, also...)
	}
	if len(files) == 0 {
		return nil, failure.New(failure.Failed, "another command may have renewed it just now; see: pkictl list",
			"no file holds the certificate of %q any more", h.Name)
	}
	return files, nil
}

// withChain returns the new certificate with those behind it. A file may hold
// more of them than the CA knows of; its readers may need them.
func (h *Holding) withChain(renewed Credential) ([]byte, error) {
	old, err := readCertificates(h.CertPath)
	if err != nil {
		return nil, err
	}
	presented, err := parseCertificates(renewed.CertPEM, h.CertPath)
	if err != nil || len(old) <= len(presented) {
		return renewed.CertPEM, err
	}
	return EncodeCertificates(append(presented[:1], old[1:]...)...), nil
}

// checkRenewed verifies the new certificate as its users will, and that its
// key is the one that will stand beside it.
func checkRenewed(cert *x509.Certificate, authority *CA, keyPEM []byte, now time.Time) error {
	if _, err := cert.Verify(x509.VerifyOptions{
		Roots: newPool(authority.Bundle()), CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	}); err != nil {
		return fmt.Errorf("the new certificate does not verify: %w", err)
	}
	if keyPEM == nil {
		return nil
	}
	if _, err := tls.X509KeyPair(EncodeCertificates(cert), keyPEM); err != nil {
		return fmt.Errorf("the new key does not belong to the new certificate: %w", err)
	}
	return nil
}
