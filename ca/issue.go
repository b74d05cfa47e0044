package ca

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
)

// IssueOptions is what the command issue takes, as strings that people write.
// Empty fields but CommonName have defaults.
type IssueOptions struct {
	Dir        string
	CommonName string
	Groups     []string
	Profiles   *Profiles // nil: the built-in ones
	Profile    string    // name of one of them
	Allow      []string  // what TakeRequest lets through, of Allowances
	DNS        []string
	IPs        []string
	URIs       []string
	Emails     []string
	Key        string // name of a KeyKind
	Validity   string // as ParseValidity reads it
	Out        string // path of the files without .crt and .key
	OutDir     string // directory of the files, for one that Out does not name; Dir if empty
	Force      bool   // replace key and certificate of that name
	DryRun     bool   // do everything but sign and write
	Now        time.Time
	Waiting    func()     // called when the directory is locked by another
	Passphrase Passphrase // asked when the CA's key is encrypted; may be nil
	// OpenSSLPass says in a recipe where openssl finds the passphrase, in the
	// form that its -passin takes. Empty: it asks.
	OpenSSLPass string

	// Also returns files to be written in the same step as key and
	// certificate, such as a kubeconfig. It may be nil. AlsoPaths names them,
	// to refuse early those that exist.
	Also      func(Credential) ([]store.File, error)
	AlsoPaths []string

	foreign *foreign // of a certificate request that was taken
}

// Credential is a key with its certificate.
type Credential struct {
	Certificate *x509.Certificate
	CertPEM     []byte // with the intermediate CAs behind it
	KeyPEM      []byte
	CAPEM       []byte // the CA, with those above it
}

// credential returns a certificate of the CA with what goes with it.
func (c *CA) credential(cert *x509.Certificate, keyPEM []byte) Credential {
	return Credential{
		Certificate: cert,
		CertPEM:     EncodeCertificates(append([]*x509.Certificate{cert}, c.Presented()...)...),
		KeyPEM:      keyPEM,
		CAPEM:       EncodeCertificates(c.Bundle()...),
	}
}

// IssueResult is what Issue made.
type IssueResult struct {
	Certificate *x509.Certificate // with DryRun signed by a key that was thrown away
	Profile     string
	CertPath    string
	KeyPath     string // empty where the key is that of a certificate request
	Warnings    []string
	CertPEM     []byte // as in CertPath; nil with DryRun
	CAPEM       []byte // the CA, with those above it; nil with DryRun
}

// Request checks the options and returns the request that they stand for.
func (o IssueOptions) Request() (Request, error) {
	req := Request{CommonName: o.CommonName, Groups: o.Groups}
	if err := checkName("common name", o.CommonName); err != nil {
		return req, err
	}
	if err := checkGroups(o.Groups); err != nil {
		return req, err
	}
	var err error
	if req.Profile, err = o.Profiles.Get(o.Profile); err != nil {
		return req, err
	}
	if req.Key, err = ParseKeyKind(cmp.Or(o.Key, string(req.Profile.Key()))); err != nil {
		return req, err
	}
	if o.foreign != nil {
		req.PublicKey = o.foreign.key
	}
	if o.Validity != "" {
		if req.Validity, err = ParseValidity(o.Validity); err != nil {
			return req, err
		}
	}
	if req.SANs, err = ParseSANs(o.DNS, o.IPs, o.URIs, o.Emails); err != nil {
		return req, err
	}
	return req, req.nameServer()
}

// nameServer adds the common name of a server to its alternative names:
// clients read nothing else (RFC 6125, 6.4.4; Go since 1.15).
func (r *Request) nameServer() error {
	if !r.Profile.ServerAuth() {
		return nil
	}
	if addr, err := netip.ParseAddr(r.CommonName); err == nil && addr.Zone() == "" {
		ip := addr.Unmap().AsSlice()
		if !slices.Contains(r.SANs.Strings(), addr.Unmap().String()) {
			r.SANs.IPs = append(r.SANs.IPs, ip)
		}
	} else if checkDNSName(r.CommonName) == nil && !slices.Contains(r.SANs.DNS, r.CommonName) {
		r.SANs.DNS = append(r.SANs.DNS, r.CommonName)
	}
	if len(r.SANs.DNS)+len(r.SANs.IPs) == 0 {
		return failure.New(failure.Usage, "add --dns or --ip with the name that clients dial",
			"server certificate %q names no server", r.CommonName)
	}
	return nil
}

// Prefix returns the path of the files that the options stand for, without
// .crt and .key. Where Out is not given it is the common name, in OutDir, with
// '_' in place of what does not belong in file names everywhere.
func (o IssueOptions) Prefix() string {
	if o.Out != "" {
		return o.Out
	}
	name := strings.Map(func(r rune) rune {
		if strings.ContainsRune(`/\:*?"<>| `, r) {
			return '_'
		}
		return r
	}, o.CommonName)
	if strings.HasPrefix(name, ".") || strings.HasPrefix(name, "-") {
		name = "_" + name[1:]
	}
	return filepath.Join(cmp.Or(o.OutDir, o.Dir), name)
}

// Issue makes a key and a certificate of the CA in o.Dir and writes them.
// A file that exists is an error unless o.Force is set. Then key, certificate
// and the other files are replaced in one step.
func Issue(ctx context.Context, o IssueOptions) (*IssueResult, error) {
	if o.Dir == "" {
		o.Dir = DefaultDir
	}
	req, err := o.Request()
	if err != nil {
		return nil, err
	}
	if !o.DryRun {
		if err := store.Recover(ctx, o.Dir, o.Waiting); err != nil {
			return nil, err
		}
	}
	authority, err := Open(o.Dir)
	if err != nil {
		return nil, err
	}
	result := o.result(req)
	var unsure []string
	if o.foreign != nil {
		if unsure, err = o.checkKeyFile(); err != nil {
			return nil, err
		}
	}
	if err := o.checkTargets(result); err != nil {
		return nil, err // before anybody types a passphrase
	}
	if err := authority.loadKeyFor(o.DryRun, o.Passphrase); err != nil {
		return nil, err
	}
	defer authority.Close()
	prepared, err := authority.Prepare(req, o.Now)
	if err != nil {
		return nil, err
	}
	result.Warnings = prepared.Warnings
	if o.foreign != nil {
		result.Warnings = slices.Concat(o.foreign.warnings, unsure, prepared.Warnings)
	}
	result.Certificate = prepared.Linted
	if o.DryRun {
		return result, nil
	}
	return result, o.write(ctx, authority, prepared, result)
}

// result says where the files go.
func (o IssueOptions) result(req Request) *IssueResult {
	result := &IssueResult{
		CertPath: o.Prefix() + ".crt", KeyPath: o.Prefix() + ".key", Profile: req.Profile.Name(),
	}
	if o.foreign != nil {
		result.KeyPath = "" // it stays where it is
	}
	return result
}

// checkTargets says no before a key is made; Commit checks again.
func (o IssueOptions) checkTargets(result *IssueResult) error {
	paths := append(nonEmpty(result.CertPath, result.KeyPath), o.AlsoPaths...)
	for _, path := range paths {
		for _, own := range []string{CertPath(o.Dir), KeyPath(o.Dir), ChainPath(o.Dir), store.InventoryPath(o.Dir)} {
			if isSameFile(path, own) {
				return failure.New(failure.Usage, "choose other file names with --out",
					"the certificate of %q would replace the CA's own %q", o.CommonName, own)
			}
		}
	}
	return existsError(store.CheckTargets(o.Force, paths...))
}

// isSameFile says whether two paths, however they are written, are one file.
func isSameFile(a, b string) bool {
	if filepath.Clean(a) == filepath.Clean(b) {
		return true
	}
	infoA, err := os.Stat(a)
	if err != nil {
		return false
	}
	infoB, err := os.Stat(b)
	return err == nil && os.SameFile(infoA, infoB)
}

func existsError(err error) error {
	var exists *store.ExistsError
	if !errors.As(err, &exists) {
		return err
	}
	return failure.New(failure.Failed, "replace it with --force, or choose other names with --out",
		"%q exists", exists.Path)
}

func (o IssueOptions) write(ctx context.Context, authority *CA, p *Prepared, result *IssueResult) (err error) {
	issued, err := o.pending(authority, p, result)
	if err != nil {
		return err
	}
	dir, err := store.Lock(ctx, o.Dir, o.Waiting)
	if err != nil {
		return err
	}
	defer func() { release(dir, err) }()
	if o.foreign != nil { // again: it may have come since
		if _, err := o.checkKeyFile(); err != nil {
			return err
		}
	}
	inv, err := dir.Inventory()
	if err != nil {
		return err
	}
	defer inv.Close()
	if err := (issuance{inv: inv, dir: dir, now: o.Now, replace: o.Force}).run(issued); err != nil {
		return existsError(err)
	}
	result.Certificate = issued.cert
	return nil
}

// pending returns the prepared certificate with the files that are written
// once it is signed.
func (o IssueOptions) pending(authority *CA, p *Prepared, result *IssueResult) (*pending, error) {
	var keyPEM []byte
	var files []store.File
	if p.key != nil {
		var err error
		if keyPEM, err = MarshalKey(p.key); err != nil {
			return nil, err
		}
		files = append(files, store.File{Path: result.KeyPath, Data: keyPEM, Mode: 0o600})
	}
	return &pending{
		meta:   o.metadata(result.Profile),
		linted: p.Linted,
		sign:   func() (*x509.Certificate, error) { return p.sign(authority.Certificate, authority.key) },
		files: func(cert *x509.Certificate) ([]store.File, error) {
			credential := authority.credential(cert, keyPEM)
			result.CertPEM, result.CAPEM = credential.CertPEM, credential.CAPEM
			files := append(files, store.File{Path: result.CertPath, Data: credential.CertPEM, Mode: 0o644})
			if o.Also == nil {
				return files, nil
			}
			also, err := o.Also(credential)
			return append(files, also...), err
		},
	}, nil
}

func (o IssueOptions) metadata(profile string) Metadata {
	meta := Metadata{
		Name: filepath.Base(o.Prefix()), Groups: o.Groups, Profile: profile, Out: recordedPath(o.Dir, o.Prefix()),
	}
	for _, path := range o.AlsoPaths {
		meta.Also = append(meta.Also, recordedPath(o.Dir, path))
	}
	return meta
}

// Fingerprint returns the SHA-256 of the certificate's DER form as pairs of
// hexadecimal digits with colons, as OpenSSL prints it.
func Fingerprint(cert *x509.Certificate) string {
	sum := sha256.Sum256(cert.Raw)
	return colonHex(sum[:])
}

func colonHex(data []byte) string {
	pairs := make([]string, len(data))
	for i, b := range data {
		pairs[i] = fmt.Sprintf("%02X", b)
	}
	return strings.Join(pairs, ":")
}
