package ca

import (
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
	DefaultDir        = "pki"
	DefaultCommonName = "KUBERNETES-CA"
	DefaultCAValidity = 10 * Year
)

// InitOptions is what the command init-ca takes. Empty fields have defaults.
type InitOptions struct {
	Dir           string
	CommonName    string
	Organizations []string
	Key           string // name of a KeyKind
	Validity      string // as ParseValidity reads it
	DryRun        bool   // do everything but write
	Now           time.Time
	Waiting       func() // called when the directory is locked by another
	// Passphrase is asked for that of an encrypted key, and for the PIN of a
	// PKCS#11 token. It may be nil.
	Passphrase Passphrase
	// NewPassphrase is asked for the one that encrypts the new key. Nil: the key
	// is not encrypted.
	NewPassphrase Passphrase
	// OpenSSLPass says in a recipe where openssl finds the passphrase, in the
	// form that its -passin takes. Empty: it asks.
	OpenSSLPass string
	// PKCS11 is the URI (RFC 7512) of a key in a PKCS#11 token, which is made if
	// it is not there. Empty: the key is in ca.key.
	PKCS11 string
}

// InitResult is the CA that Init made.
type InitResult struct {
	Certificate *x509.Certificate
	CertPath    string
	KeyPath     string
	Encrypted   bool // the key in KeyPath is
	InToken     bool // KeyPath says in which token the key is
	Warnings    []string
}

func (o InitOptions) withDefaults() InitOptions {
	if o.Dir == "" {
		o.Dir = DefaultDir
	}
	if o.CommonName == "" {
		o.CommonName = DefaultCommonName
	}
	return o
}

func (o InitOptions) request() (Request, error) {
	req := Request{CommonName: o.CommonName, Groups: o.Organizations, Validity: DefaultCAValidity}
	if o.Validity != "" {
		validity, err := ParseValidity(o.Validity)
		if err != nil {
			return req, err
		}
		req.Validity = validity
	}
	if err := checkName("common name", req.CommonName); err != nil {
		return req, err
	}
	for _, org := range req.Groups {
		if err := checkName("organization", org); err != nil {
			return req, err
		}
	}
	var err error
	req.Key, err = ParseKeyKind(o.Key)
	return req, err
}

// Init makes a root CA: the key and a self-signed certificate with basic
// constraints CA:TRUE and the usages certificate and CRL signing, in a
// directory that is made if need be. An existing CA is never overwritten.
func Init(ctx context.Context, o InitOptions) (*InitResult, error) {
	o = o.withDefaults()
	req, err := o.request()
	if err != nil {
		return nil, err
	}
	result := &InitResult{CertPath: CertPath(o.Dir), KeyPath: KeyPath(o.Dir), Encrypted: o.encrypts(), InToken: o.PKCS11 != ""}
	if !o.DryRun {
		if err := store.Recover(ctx, o.Dir, o.Waiting); err != nil {
			return nil, err
		}
	}
	// Say no before a key is made; it is checked again under the lock.
	if err := checkNoCA(o.Dir); err != nil {
		return nil, err
	}
	key, keyPEM, err := o.makeKey(req.Key)
	if err != nil {
		return nil, err
	}
	defer CloseKey(key)
	template, err := rootTemplate(req, key, o.Now)
	if err != nil {
		return nil, err
	}
	if result.Certificate, err = signRoot(template, key); err != nil {
		return nil, err
	}
	if req.Key == Ed25519 {
		result.Warnings = append(result.Warnings, ed25519Warning)
	}
	if o.DryRun {
		return result, nil
	}
	return result, writeRoot(ctx, o, keyPEM, result.Certificate)
}

func checkNoCA(dir string) error {
	err := store.CheckAbsent(CertPath(dir), KeyPath(dir))
	var exists *store.ExistsError
	if errors.As(err, &exists) {
		return failure.New(failure.Failed,
			"use it as it is, or make another with: pkictl init-ca --dir DIR; to replace it, move its directory away first",
			"%q exists: there is a CA in %q", exists.Path, dir)
	}
	return err
}

func rootTemplate(req Request, key crypto.Signer, now time.Time) (*x509.Certificate, error) {
	now = now.UTC().Truncate(time.Second)
	t, err := newTemplate(req, config.SigningProfile{
		Usage:        []string{"cert sign", "crl sign"},
		CAConstraint: config.CAConstraint{IsCA: true},
	}, key.Public(), now.Add(-Backdate), now.Add(req.Validity))
	if err != nil {
		return nil, err
	}
	t.MaxPathLen = -1 // no limit; 0 would forbid intermediates
	t.AuthorityKeyId = t.SubjectKeyId
	return t, nil
}

// signRoot makes the self-signed certificate and lints it. Until it is written
// it has no use, so its own key may sign what is linted.
func signRoot(template *x509.Certificate, key crypto.Signer) (*x509.Certificate, error) {
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
	if !cert.IsCA || cert.KeyUsage != x509.KeyUsageCertSign|x509.KeyUsageCRLSign || cert.MaxPathLen != -1 {
		return nil, errors.New("the CA certificate was not made as asked")
	}
	return cert, nil // CreateCertificate has checked the signature
}

// writeRoot records the CA in the inventory and writes its files.
func writeRoot(ctx context.Context, o InitOptions, keyPEM []byte, cert *x509.Certificate) (err error) {
	dir, err := store.Create(ctx, o.Dir, o.Waiting)
	if err != nil {
		return err
	}
	defer func() { release(dir, err) }()
	if err := checkNoCA(o.Dir); err != nil {
		return err // another process made one while this one waited
	}
	inv, err := dir.Inventory()
	if err != nil {
		return err
	}
	defer inv.Close()
	return issuance{inv: inv, dir: dir, now: o.Now}.run(&pending{
		linted: cert,
		meta:   Metadata{Name: "ca", Groups: o.Organizations, Profile: profileCA, Out: "ca"},
		sign:   func() (*x509.Certificate, error) { return cert, nil },
		files: func(cert *x509.Certificate) ([]store.File, error) {
			return []store.File{
				{Path: KeyPath(o.Dir), Data: keyPEM, Mode: 0o600},
				{Path: CertPath(o.Dir), Data: EncodeCertificates(cert), Mode: 0o644},
			}, nil
		},
	})
}
