package ca

import (
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
	Profile    string // name of a built-in profile
	DNS        []string
	IPs        []string
	URIs       []string
	Emails     []string
	Key        string // name of a KeyKind
	Validity   string // as ParseValidity reads it
	Out        string // path of the files without .crt and .key
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
}

// Credential is a key with its certificate.
type Credential struct {
	Certificate *x509.Certificate
	CertPEM     []byte // with the intermediate CAs behind it
	KeyPEM      []byte
	CAPEM       []byte // the CA, with those above it
}

// IssueResult is what Issue made.
type IssueResult struct {
	Certificate *x509.Certificate // with DryRun signed by a key that was thrown away
	Profile     string
	CertPath    string
	KeyPath     string
	Warnings    []string
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
	if req.Profile, err = BuiltinProfile(o.Profile); err != nil {
		return req, err
	}
	if req.Key, err = ParseKeyKind(o.Key); err != nil {
		return req, err
	}
	if o.Validity != "" {
		if req.Validity, err = ParseValidity(o.Validity); err != nil {
			return req, err
		}
	}
	if req.SANs, err = parseSANs(o.DNS, o.IPs, o.URIs, o.Emails); err != nil {
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
// .crt and .key. Where Out is not given it is the common name, below Dir, with
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
	return filepath.Join(o.Dir, name)
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
	result := &IssueResult{
		CertPath: o.Prefix() + ".crt", KeyPath: o.Prefix() + ".key", Profile: req.Profile.Name(),
	}
	if err := o.checkTargets(result); err != nil {
		return nil, err // before anybody types a passphrase
	}
	if err := authority.loadKey(o.Passphrase); err != nil {
		return nil, err
	}
	defer authority.Close()
	prepared, err := authority.Prepare(req, o.Now)
	if err != nil {
		return nil, err
	}
	result.Warnings = prepared.Warnings
	result.Certificate = prepared.Linted
	if o.DryRun {
		return result, nil
	}
	return result, o.write(ctx, authority, prepared, result)
}

// checkTargets says no before a key is made; Commit checks again.
func (o IssueOptions) checkTargets(result *IssueResult) error {
	for _, path := range append([]string{result.CertPath, result.KeyPath}, o.AlsoPaths...) {
		for _, own := range []string{CertPath(o.Dir), KeyPath(o.Dir)} {
			if isSameFile(path, own) {
				return failure.New(failure.Usage, "choose other file names with --out",
					"the certificate of %q would replace the CA's own %q", o.CommonName, own)
			}
		}
	}
	if o.Force {
		return nil
	}
	return existsError(store.CheckAbsent(append([]string{result.CertPath, result.KeyPath}, o.AlsoPaths...)...))
}

// isSameFile says whether two paths, however they are written, are one file.
func isSameFile(a, b string) bool {
	if filepath.Clean(a) == filepath.Clean(b) {
		return true
	}
	infoA, errA := os.Stat(a)
	infoB, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(infoA, infoB)
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
	keyPEM, err := MarshalKey(p.key)
	if err != nil {
		return err
	}
	dir, err := store.Lock(ctx, o.Dir, o.Waiting)
	if err != nil {
		return err
	}
	defer func() { release(dir, err) }()
	inv, err := dir.Inventory()
	if err != nil {
		return err
	}
	defer inv.Close()
	cert, err := issuance{
		inv: inv, dir: dir, now: o.Now, replace: o.Force, linted: p.Linted,
		meta: o.metadata(result.Profile),
		sign: func() (*x509.Certificate, error) { return p.sign(authority.Certificate, authority.key) },
		files: func(cert *x509.Certificate) ([]store.File, error) {
			certPEM := EncodeCertificates(append([]*x509.Certificate{cert}, authority.Presented()...)...)
			files := []store.File{
				{Path: result.KeyPath, Data: keyPEM, Mode: 0o600},
				{Path: result.CertPath, Data: certPEM, Mode: 0o644},
			}
			if o.Also == nil {
				return files, nil
			}
			also, err := o.Also(Credential{
				Certificate: cert, CertPEM: certPEM, KeyPEM: keyPEM, CAPEM: EncodeCertificates(authority.Bundle()...),
			})
			return append(files, also...), err
		},
	}.run()
	if err != nil {
		return existsError(err)
	}
	result.Certificate = cert
	return nil
}

func (o IssueOptions) metadata(profile string) Metadata {
	prefix := o.Prefix()
	out := prefix
	if rel, err := filepath.Rel(o.Dir, prefix); err == nil && filepath.IsLocal(rel) {
		out = rel
	} else if abs, err := filepath.Abs(prefix); err == nil {
		out = abs
	}
	return Metadata{Name: filepath.Base(prefix), Groups: o.Groups, Profile: profile, Out: out}
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
