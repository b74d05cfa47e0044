package ca

import (
	"bytes"
	"cmp"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"time"

	"github.com/cloudflare/cfssl/config"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
)

// Defaults of Init.
const (
	DefaultDir                    = "pki"
	DefaultCommonName             = "KUBERNETES-CA"
	DefaultIntermediateCommonName = "KUBERNETES-INTERMEDIATE-CA"
	DefaultCAValidity             = 10 * Year
	DefaultIntermediateValidity   = 5 * Year
)

// InitOptions is what the command init-ca takes. Empty fields have defaults.
type InitOptions struct {
	Dir string
	// Name is that of the CA's files below Dir, with slashes, without .crt and
	// .key, where it is not ca.
	Name          string
	CommonName    string
	Organizations []string
	DNS           []string // alternative names; kubeadm gives a CA its common name
	Key           string   // name of a KeyKind
	Validity      string   // as ParseValidity reads it
	// Parent is the directory of the CA that signs. Empty: a root CA.
	Parent string
	// PathLength is how many CAs may stand below this one in a chain. Nil: any
	// number below a root, none below an intermediate CA.
	PathLength *int
	PermitDNS  []string // domains, and all below them, that it may certify
	PermitIPs  []string // networks like 10.0.0.0/8 that it may certify

	// CertFile and KeyFile are an existing CA in PEM form that becomes the one
	// in Dir; those above it may follow in CertFile.
	CertFile, KeyFile string
	// ImportDir is a directory of kubeadm, cfssl, easy-rsa or openssl ca, whose
	// CA becomes the one in Dir, unless CertFile names one; what that CA has
	// signed below the directory is recorded. It may be Dir itself.
	ImportDir string

	DryRun  bool // do everything but write
	Now     time.Time
	Waiting func() // called when the directory is locked by another
	// Passphrase is asked for that of an encrypted key, of the parent or to be
	// imported, and for the PIN of a PKCS#11 token. It may be nil.
	Passphrase Passphrase
	// NewPassphrase is asked for the one that encrypts the new key. Nil: the key
	// is not encrypted.
	NewPassphrase Passphrase
	// MustEncrypt has the import of a CA that stays where it is fail if its key is
	// not encrypted, and NewPassphrase is set. Otherwise that is a warning.
	MustEncrypt bool
	// OpenSSLPass says in a recipe where openssl finds the passphrase, in the
	// form that its -passin takes. Empty: it asks.
	OpenSSLPass string
	// PKCS11 is the URI (RFC 7512) of a key in a PKCS#11 token, which is made if
	// it is not there. Empty: the key is in ca.key.
	PKCS11 string
}

// InitResult is the CA that Init made or imported.
type InitResult struct {
	Certificate *x509.Certificate
	CertPath    string
	KeyPath     string
	Encrypted   bool   // the key in KeyPath is
	InToken     bool   // KeyPath says in which token the key is
	ChainPath   string // empty where there is no CA above
	Warnings    []string
	Imported    *Imported // nil unless the CA was imported
}

// caRequest is what the certificate of a CA is asked to hold.
type caRequest struct {
	Request
	pathLength int // -1: no limit
	permitted  permittedNames
}

func (o InitOptions) withDefaults() InitOptions {
	if o.Dir == "" {
		o.Dir = DefaultDir
	}
	if o.CommonName == "" && o.Parent == "" {
		o.CommonName = DefaultCommonName
	}
	return o
}

// isImport says whether the CA is there already.
func (o InitOptions) isImport() bool { return o.CertFile != "" || o.KeyFile != "" || o.ImportDir != "" }

// checkTogether refuses options that do not go together.
func (o InitOptions) checkTogether() error {
	made := o.CommonName != "" || o.Organizations != nil || o.Key != "" || o.Validity != "" || o.Parent != "" ||
		o.PathLength != nil || o.PermitDNS != nil || o.PermitIPs != nil
	switch {
	case !o.isImport():
		return nil
	case made:
		return failure.New(failure.Usage, "leave out all that says how to make one: names, key kind, validity, limits and --parent",
			"an imported CA stays what it is")
	case o.CertFile != "" && o.KeyFile == "":
		return failure.New(failure.Usage, "add --key with the file of the CA's key", "the key of CA certificate %q is not named", o.CertFile)
	case o.CertFile == "" && o.KeyFile != "":
		return failure.New(failure.Usage, "add --cert with the file of the CA's certificate", "the certificate of CA key %q is not named", o.KeyFile)
	}
	return nil
}

func (o InitOptions) request() (caRequest, error) {
	req := caRequest{pathLength: -1}
	req.CommonName, req.Groups = o.CommonName, o.Organizations
	req.Profile.raw.Expiry = DefaultCAValidity
	if o.Parent != "" {
		req.pathLength = 0
		req.Profile.raw.Expiry = DefaultIntermediateValidity
	}
	if o.PathLength != nil {
		req.pathLength = *o.PathLength
		if req.pathLength < 0 {
			return req, failure.New(failure.Usage, "write how many CAs may stand below it, 0 for none; without --path-length a root has no limit",
				"path length %d is negative", req.pathLength)
		}
	}
	var err error
	if o.Validity != "" {
		if req.Validity, err = ParseValidity(o.Validity); err != nil {
			return req, err
		}
	}
	if o.CommonName != "" {
		if err := checkName("common name", req.CommonName); err != nil {
			return req, err
		}
	}
	for _, org := range req.Groups {
		if err := checkName("organization", org); err != nil {
			return req, err
		}
	}
	if req.SANs, err = ParseSANs(o.DNS, nil, nil, nil); err != nil {
		return req, err
	}
	if req.permitted, err = parseConstraints(o.PermitDNS, o.PermitIPs); err != nil {
		return req, err
	}
	req.Key, err = ParseKeyKind(o.Key)
	return req, err
}

// Init makes the CA of a directory, which is made if need be: a root CA, or
// with o.Parent one that the CA there signs, or an existing one that is
// imported. A CA that is in the directory is never overwritten.
func Init(ctx context.Context, o InitOptions) (*InitResult, error) {
	if err := o.checkTogether(); err != nil {
		return nil, err
	}
	o = o.withDefaults()
	switch {
	case o.isImport():
		return importCA(ctx, o)
	case o.Parent != "":
		return initIntermediate(ctx, o)
	}
	return initRoot(ctx, o)
}

// initRoot makes a key and a self-signed certificate with basic constraints
// CA:TRUE and the usages certificate and CRL signing.
func initRoot(ctx context.Context, o InitOptions) (*InitResult, error) {
	req, err := o.request()
	if err != nil {
		return nil, err
	}
	if err := o.checkFree(ctx); err != nil {
		return nil, err
	}
	key, keyPEM, err := o.makeKey(req.Key)
	if err != nil {
		return nil, err
	}
	defer CloseKey(key)
	cert, err := signRoot(req, key, o.Now)
	if err != nil {
		return nil, err
	}
	result := &InitResult{
		Certificate: cert, CertPath: o.paths().cert, KeyPath: o.paths().key,
		Encrypted: o.encrypts(), InToken: o.PKCS11 != "", Warnings: req.warnings(),
	}
	if o.DryRun {
		return result, nil
	}
	return result, writeRoot(ctx, o, keyPEM, cert)
}

// checkFree says no before a key is made; it is checked again under the lock.
func (o InitOptions) checkFree(ctx context.Context) error {
	if !o.DryRun {
		if err := store.Recover(ctx, o.Dir, o.Waiting); err != nil {
			return err
		}
	}
	return checkNoCA(o.Dir, o.Name)
}

func (o InitOptions) paths() caPaths { return filesOf(o.Dir, o.Name) }

func checkNoCA(dir, name string) error {
	paths := filesOf(dir, name)
	err := store.CheckAbsent(paths.cert, paths.key, paths.chain)
	var exists *store.ExistsError
	if errors.As(err, &exists) {
		return failure.New(failure.Failed,
			"use it as it is, or make another with: pkictl init-ca --dir DIR; to replace it, move its directory away first",
			"%q exists: there is a CA in %q", exists.Path, dir)
	}
	return err
}

// caTemplate turns a request into what crypto/x509 signs.
func caTemplate(req caRequest, public crypto.PublicKey, notBefore, notAfter time.Time) (*x509.Certificate, error) {
	t, err := newTemplate(req.Request, config.SigningProfile{
		Usage:        []string{"cert sign", "crl sign"},
		CAConstraint: config.CAConstraint{IsCA: true},
	}, public, notBefore, notAfter)
	if err != nil {
		return nil, err
	}
	t.DNSNames = req.SANs.DNS // FillTemplate takes a CA's away
	t.MaxPathLen, t.MaxPathLenZero = req.pathLength, req.pathLength == 0
	req.permitted.apply(t)
	return t, nil
}

func (req caRequest) validity() time.Duration {
	return cmp.Or(req.Validity, req.Profile.Validity())
}

// compare checks that a certificate says what was asked for.
func (req caRequest) compare(cert *x509.Certificate) error {
	rawSubject, err := subject(req.Groups, req.CommonName)
	if err != nil {
		return err
	}
	switch {
	case !bytes.Equal(cert.RawSubject, rawSubject), !cert.IsCA, !cert.BasicConstraintsValid,
		cert.KeyUsage != x509.KeyUsageCertSign|x509.KeyUsageCRLSign, cert.MaxPathLen != req.pathLength,
		!sameNames(SANsOf(cert), req.SANs),
		!req.permitted.isIn(cert), len(cert.SubjectKeyId) == 0, cert.SerialNumber.Sign() <= 0:
		return errors.New("the CA certificate was not made as asked")
	}
	return nil
}

// warnings say what is allowed but has a price.
func (req caRequest) warnings() []string {
	warnings := req.permitted.warnings()
	if req.Key == Ed25519 {
		warnings = append(warnings, ed25519Warning)
	}
	return warnings
}

// signRoot makes the self-signed certificate and lints it. Until it is written
// it has no use, so its own key may sign what is linted.
func signRoot(req caRequest, key crypto.Signer, now time.Time) (*x509.Certificate, error) {
	now = now.UTC().Truncate(time.Second)
	template, err := caTemplate(req, key.Public(), now.Add(-Backdate), now.Add(req.validity()))
	if err != nil {
		return nil, err
	}
	template.AuthorityKeyId = template.SubjectKeyId
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	if err := lintCertificate(der); err != nil {
		return nil, err
	}
	return cert, req.compare(cert) // CreateCertificate has checked the signature
}

// writeRoot records the CA in the inventory and writes its files.
func writeRoot(ctx context.Context, o InitOptions, keyPEM []byte, cert *x509.Certificate) (err error) {
	dir, err := store.Create(ctx, o.Dir, o.Waiting)
	if err != nil {
		return err
	}
	defer func() { release(dir, err) }()
	if err := checkNoCA(o.Dir, o.Name); err != nil {
		return err // another process made one while this one waited
	}
	inv, err := dir.Inventory()
	if err != nil {
		return err
	}
	defer inv.Close()
	return issuance{inv: inv, dir: dir, now: o.Now}.run(&pending{
		linted: cert,
		meta:   ownMetadata(o.name(), o.Organizations),
		sign:   func() (*x509.Certificate, error) { return cert, nil },
		files:  func(cert *x509.Certificate) ([]store.File, error) { return o.paths().files(keyPEM, cert), nil },
	})
}

// ownMetadata is what a CA's inventory says of the CA itself.
func ownMetadata(name string, organizations []string) Metadata {
	return Metadata{Name: name, Groups: organizations, Profile: profileCA, Out: name}
}

func (o InitOptions) name() string { return cmp.Or(o.Name, "ca") }

// files are the files of a CA: key, chain where there are CAs above it, and
// certificate, the last of which makes the directory one with a CA.
func (p caPaths) files(keyPEM []byte, cert *x509.Certificate, above ...*x509.Certificate) []store.File {
	files := []store.File{{Path: p.key, Data: keyPEM, Mode: 0o600}}
	if len(above) > 0 {
		bundle := (&CA{Certificate: cert, Chain: above}).Bundle()
		files = append(files, store.File{Path: p.chain, Data: EncodeCertificates(bundle...), Mode: 0o644})
	}
	return append(files, store.File{Path: p.cert, Data: EncodeCertificates(cert), Mode: 0o644})
}
