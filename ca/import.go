package ca

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/cloudflare/cfssl/certdb"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/shell"
	"github.com/pkictl/pkictl/internal/store"
)

// Imported says what came with a CA that was imported.
type Imported struct {
	From     string // the tool whose directory it was; empty for two files
	InPlace  bool   // the CA's files were where they belong, and stay untouched
	Recorded int    // certificates of the CA that are new in the inventory, its own aside
	Revoked  int    // of those, the revoked ones
	Known    int    // certificates that were in the inventory before
	// RevokedSince is how many of the known ones were in force there, and were
	// found to be revoked.
	RevokedSince int
	PassedOver   []PassedOver // what was found and not recorded
}

// PassedOver counts certificates, or files, that were not recorded.
type PassedOver struct {
	Reason string `json:"reason"`
	Count  int    `json:"count"`
}

// Summary returns what came with the CA in words, each line with its label.
// Before it is recorded, with DryRun, it says so.
func (i *Imported) Summary(dryRun bool) [][2]string {
	label, text := "recorded", countCertificates(i.Recorded)
	if dryRun {
		label = "to record"
	}
	if i.Revoked > 0 {
		text += fmt.Sprintf(", of which %d revoked", i.Revoked)
	}
	lines := [][2]string{{label, text}}
	if i.Known > 0 {
		lines = append(lines, [2]string{"known before", countCertificates(i.Known)})
	}
	if i.RevokedSince > 0 {
		lines = append(lines, [2]string{"revoked since", countCertificates(i.RevokedSince)})
	}
	label = "passed over"
	for _, passed := range i.PassedOver {
		lines = append(lines, [2]string{label, fmt.Sprintf("%d %s", passed.Count, passed.Reason)})
		label = ""
	}
	return lines
}

func countCertificates(n int) string {
	if n == 1 {
		return "1 certificate"
	}
	return fmt.Sprintf("%d certificates", n)
}

// importCA makes an existing CA the one in o.Dir.
func importCA(ctx context.Context, o InitOptions) (*InitResult, error) {
	src, err := o.importSource()
	if err != nil {
		return nil, err
	}
	authority, warnings, err := src.authority(o)
	if err != nil {
		return nil, err
	}
	inPlace, err := o.isInPlace(ctx, src, authority)
	if err != nil {
		return nil, err
	}
	keyPEM, encrypted, err := o.importKey(src.key, authority, inPlace)
	if err != nil {
		return nil, err
	}
	if inPlace {
		isPlain, err := isPlainKey(KeyPath(o.Dir))
		if err != nil {
			return nil, err
		}
		if isPlain && o.encrypts() {
			if o.MustEncrypt {
				return nil, o.staysPlain()
			}
			warnings = append(warnings, o.staysPlain().Error())
		}
		encrypted = !isPlain
	}
	result := &InitResult{
		Certificate: authority.Certificate, Warnings: warnings, CertPath: CertPath(o.Dir), KeyPath: KeyPath(o.Dir),
		Encrypted: encrypted, Imported: &Imported{From: src.tool, InPlace: inPlace},
	}
	if !result.Imported.InPlace && len(authority.Chain) > 0 {
		result.ChainPath = ChainPath(o.Dir)
	}
	found, err := src.collect(ctx, authority)
	if err != nil {
		return nil, err
	}
	records, err := found.records(o.Dir, authority)
	if err != nil {
		return nil, err
	}
	result.Imported.PassedOver = found.passedOver()
	if o.DryRun {
		result.Imported.count(records, nil)
		return result, nil
	}
	return result, o.writeImported(ctx, found, keyPEM, records, result.Imported)
}

// count says what became of the records, the first of which is the CA's own.
func (i *Imported) count(records []certdb.CertificateRecord, outcomes []store.ImportOutcome) {
	for n, record := range records[1:] {
		switch {
		case outcomes != nil && outcomes[n+1] == store.ImportedRevoked:
			i.RevokedSince++
			fallthrough
		case outcomes != nil && outcomes[n+1] == store.ImportedKnown:
			i.Known++
			continue
		case record.Status == store.StatusRevoked:
			i.Revoked++
		}
		i.Recorded++
	}
}

// importKey reads the key of an existing CA, checks whose it is, and encodes it
// as it goes to the disk.
//
// One that is encrypted stays so, with the same passphrase.
func (o InitOptions) importKey(path string, authority *CA, inPlace bool) (keyPEM []byte, encrypted bool, err error) {
	var used []byte // the passphrase, if there is one
	defer func() { clear(used) }()
	ask := o.Passphrase
	if ask != nil {
		ask = func(name string) ([]byte, error) {
			passphrase, err := o.Passphrase(name)
			used = bytes.Clone(passphrase)
			return passphrase, err
		}
	}
	key, err := ReadKey(path, ask)
	if err != nil {
		return nil, false, err
	}
	defer CloseKey(key)
	if !EqualKeys(key.Public(), authority.Certificate.PublicKey) {
		return nil, false, failure.New(failure.Failed, "find the key and the certificate that were made together",
			"CA key %q does not belong to certificate %s", path, FormatName(authority.Certificate.RawSubject))
	}
	switch {
	case inPlace: // its key stays as it is
		return nil, false, nil
	case used != nil:
		keyPEM, err = EncryptKey(key, used)
	default:
		keyPEM, err = o.marshalKey(key)
	}
	return keyPEM, used != nil || o.encrypts(), err
}

// staysPlain says that a passphrase is given for a key that is not written.
func (o InitOptions) staysPlain() error {
	path := KeyPath(o.Dir)
	return failure.New(failure.Usage,
		fmt.Sprintf("encrypt it with: openssl pkcs8 -topk8 -in %[1]s -out %[1]s.new && mv %[1]s.new %[1]s; or import it into another directory with --dir", shell.Quote(path)),
		"CA key %q is not encrypted, and is left as it is: the CA is there already", path)
}

// isInPlace says whether the CA is in o.Dir already, so that no file has to be
// written. Any other CA there is an error.
func (o InitOptions) isInPlace(ctx context.Context, src importSource, authority *CA) (bool, error) {
	certIs, keyIs := isSameFile(src.cert, CertPath(o.Dir)), isSameFile(src.key, KeyPath(o.Dir))
	if certIs && !keyIs {
		return false, failure.New(failure.Usage, "choose another directory for the CA with --dir; nothing is changed in the old one",
			"the key of the CA in %q is %q, and not %q", o.Dir, src.key, KeyPath(o.Dir))
	}
	if certIs {
		return true, nil
	}
	if o.holds(authority) {
		// Imported before: what the other tool has issued since may be added.
		return true, nil
	}
	return false, o.checkFree(ctx)
}

// holds says whether o.Dir has that very CA, with its key.
func (o InitOptions) holds(authority *CA) bool {
	there, err := Open(o.Dir)
	return err == nil && there.Certificate.Equal(authority.Certificate) && isThere(KeyPath(o.Dir))
}

// writeImported records what was found, and writes the CA's files if they are
// not there: no file without its row.
func (o InitOptions) writeImported(ctx context.Context, found *finding, keyPEM []byte, records []certdb.CertificateRecord, imported *Imported) error {
	dir, err := store.Create(ctx, o.Dir, o.Waiting)
	if err != nil {
		return err
	}
	return withInventory(dir, func(inv *store.Inventory) error {
		record := func() error {
			outcomes, err := inv.Import(records)
			if err != nil {
				return err
			}
			imported.count(records, outcomes)
			return found.reserveCRL(ctx, inv)
		}
		if imported.InPlace {
			return record()
		}
		if err := checkNoCA(o.Dir, ""); err != nil {
			return err // another process made one while this one waited
		}
		authority := found.authority
		return dir.Commit(filesOf(o.Dir, "").files(keyPEM, authority.Certificate, authority.Chain...), false, record)
	})
}

// authority reads and checks the CA's certificate and those above it.
func (s importSource) authority(o InitOptions) (*CA, []string, error) {
	certs, err := readCertificates(s.cert)
	if err != nil {
		return nil, nil, err
	}
	others := certs[1:]
	if s.chain != "" {
		more, err := readCertificates(s.chain)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, nil, err
		}
		others = append(others, more...)
	}
	c := &CA{Dir: s.cert, Certificate: certs[0], Chain: chainAbove(certs[0], others)}
	if err := checkImportable(certs[0], s.cert); err != nil {
		return nil, nil, err
	}
	for _, cert := range c.Bundle() {
		if err := checkImportTime(cert, s.cert, o.Now); err != nil {
			return nil, nil, err
		}
	}
	return c, c.weaknesses(), nil
}

// chainAbove finds the issuers of a certificate among others, the nearest
// first.
func chainAbove(cert *x509.Certificate, others []*x509.Certificate) []*x509.Certificate {
	var chain []*x509.Certificate
	for range others { // a circle ends too
		issuer := issuerAmong(cert, others)
		if isSelfIssued(cert) || issuer == nil {
			break
		}
		chain = append(chain, issuer)
		cert = issuer
	}
	return chain
}

func issuerAmong(cert *x509.Certificate, others []*x509.Certificate) *x509.Certificate {
	for _, other := range others {
		if bytes.Equal(other.RawSubject, cert.RawIssuer) && cert.CheckSignatureFrom(other) == nil {
			return other
		}
	}
	return nil
}

// checkImportable refuses a certificate with which nothing could be issued that
// verifiers take.
func checkImportable(cert *x509.Certificate, path string) error {
	refuse := func(format string, args ...any) error {
		return failure.New(failure.Failed, "make a new CA with: pkictl init-ca", "CA certificate %q "+format, append([]any{path}, args...)...)
	}
	rsaKey, isRSA := cert.PublicKey.(*rsa.PublicKey)
	switch {
	case !isAuthority(cert):
		return failure.New(failure.Failed,
			"a CA certificate is of version 3, has basic constraints CA:TRUE, and may sign certificates",
			"%q is not the certificate of a CA", path)
	case len(cert.SubjectKeyId) == 0: // RFC 5280, 4.2.1.1 and 4.2.1.2
		return refuse("has no subject key identifier, by which certificates name their issuer's key")
	case len(cert.UnhandledCriticalExtensions) > 0:
		return refuse("has the critical extension %s, which Kubernetes does not know and therefore refuses", cert.UnhandledCriticalExtensions[0])
	case isRSA && rsaKey.N.BitLen() < 1024:
		return refuse("has a key of %d bits, with which Kubernetes refuses to work", rsaKey.N.BitLen())
	case KeyName(cert.PublicKey) == "unknown":
		return refuse("has a key of a kind that pkictl does not know")
	}
	return nil
}

func checkImportTime(cert *x509.Certificate, path string, now time.Time) error {
	switch name := FormatName(cert.RawSubject); {
	case now.After(cert.NotAfter):
		return failure.New(failure.Failed, "nothing it signs is valid any more; make a new CA with: pkictl init-ca",
			"CA %q in %q expired on %s", name, path, cert.NotAfter.Format(time.DateOnly))
	case now.Before(cert.NotBefore):
		return failure.New(failure.Failed, "check the clock of this machine",
			"CA %q in %q is not valid before %s", name, path, cert.NotBefore.Format(time.RFC3339))
	}
	return nil
}

// weaknesses are what is wrong with a CA that still works.
func (c *CA) weaknesses() []string {
	cert := c.Certificate
	var found []string
	if key, isRSA := cert.PublicKey.(*rsa.PublicKey); isRSA && key.N.BitLen() < 2048 {
		found = append(found, fmt.Sprintf("its key has %d bits only, and OpenSSL refuses fewer than 2048 by default; replace this CA soon", key.N.BitLen()))
	}
	if hash := weakHash(cert.SignatureAlgorithm); hash != 0 && !isSelfIssued(cert) {
		found = append(found, fmt.Sprintf("its own certificate is signed with %v, so no chain leads to the CA above it; trust it directly, or have it signed again", hash))
	} else if hash != 0 {
		// Nobody checks the signature of what is trusted anyway.
		found = append(found, fmt.Sprintf("its own certificate is signed with %v; linters object, verifiers that trust it do not care", hash))
	}
	if cert.KeyUsage == 0 {
		found = append(found, "its certificate has no key usage, which strict verifiers ask of a CA (RFC 5280, 4.2.1.3)")
	}
	if cert.SerialNumber.Sign() == 0 {
		found = append(found, "its serial number is 0, which strict verifiers refuse (RFC 5280, 4.1.2.2)")
	}
	if !isSelfIssued(cert) && len(c.Chain) == 0 {
		found = append(found, fmt.Sprintf("it is signed by %s, whose certificate is not there; whoever trusts that one alone needs it in ca-chain.crt, behind this one",
			FormatName(cert.RawIssuer)))
	}
	if KeyName(cert.PublicKey) == string(Ed25519) {
		found = append(found, ed25519Warning)
	}
	return found
}

func weakHash(algorithm x509.SignatureAlgorithm) crypto.Hash {
	switch algorithm {
	case x509.MD5WithRSA, x509.MD2WithRSA:
		return crypto.MD5
	case x509.SHA1WithRSA, x509.ECDSAWithSHA1, x509.DSAWithSHA1:
		return crypto.SHA1
	}
	return 0
}
