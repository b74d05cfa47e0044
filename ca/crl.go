package ca

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"slices"
	"time"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
)

// DefaultNextUpdate is how long a revocation list is good for.
const DefaultNextUpdate = 7 * Day

// CRLOptions is what the command crl takes. Empty fields but Now have defaults.
type CRLOptions struct {
	Dir        string
	Out        string // file to write, "-" for none
	NextUpdate string // time until the next list, as ParseValidity reads it
	DER        bool   // write DER, not PEM
	DryRun     bool   // do everything but sign and write
	Now        time.Time
	Waiting    func()     // called when the directory is locked by another
	Passphrase Passphrase // asked when the CA's key is encrypted; may be nil
}

// CRLResult is the list that SignCRL made.
type CRLResult struct {
	Issuer     string
	Number     *big.Int
	ThisUpdate time.Time
	NextUpdate time.Time
	Entries    []x509.RevocationListEntry // by serial
	Path       string                     // empty where no file was written
	Data       []byte                     // the file; nil with DryRun
	Warnings   []string
}

// SignCRL makes the revocation list of the CA in o.Dir and writes it. On it is
// what the inventory has as revoked, until the first list after the end of the
// certificate (RFC 5280, 3.3). Its number is above that of every list before,
// whatever process died.
func SignCRL(ctx context.Context, o CRLOptions) (*CRLResult, error) {
	o = o.withDefaults()
	if !o.DryRun {
		if err := store.Recover(ctx, o.Dir, o.Waiting); err != nil {
			return nil, err
		}
	}
	authority, result, err := o.prepare()
	if err != nil {
		return nil, err
	}
	if err := authority.LoadKey(o.Passphrase); err != nil {
		return nil, err
	}
	defer authority.Close()
	if o.DryRun {
		return result, o.fillDry(ctx, authority, result)
	}
	dir, err := store.Lock(ctx, o.Dir, o.Waiting)
	if err != nil {
		return nil, err
	}
	return result, withInventory(dir, func(inv *store.Inventory) error {
		if err := o.fill(ctx, authority, inv, result); err != nil {
			return err
		}
		return o.publish(authority, dir, inv, result)
	})
}

func (o CRLOptions) withDefaults() CRLOptions {
	o.Dir = cmp.Or(o.Dir, DefaultDir)
	o.Out = cmp.Or(o.Out, CRLPath(o.Dir))
	return o
}

// prepare opens the CA and checks that it may sign a list with these times.
func (o CRLOptions) prepare() (*CA, *CRLResult, error) {
	validity := DefaultNextUpdate
	if o.NextUpdate != "" {
		var err error
		if validity, err = ParseValidity(o.NextUpdate); err != nil {
			return nil, nil, err
		}
	}
	authority, err := Open(o.Dir)
	if err != nil {
		return nil, nil, err
	}
	if err := authority.checkCRLSign(); err != nil {
		return nil, nil, err
	}
	if err := authority.checkTime(o.Now); err != nil {
		return nil, nil, err
	}
	// The time at which it is signed (RFC 5280, 5.1.2.4), not before.
	now := o.Now.UTC().Truncate(time.Second)
	result := &CRLResult{
		Issuer: FormatName(authority.Certificate.RawSubject), ThisUpdate: now, NextUpdate: now.Add(validity),
	}
	if o.Out != "-" {
		result.Path = o.Out
	}
	if end := authority.Certificate.NotAfter; result.NextUpdate.After(end) {
		if o.NextUpdate != "" {
			return nil, nil, failure.New(failure.Usage, "ask for at most "+FormatValidity(end.Sub(now)),
				"the next update would be on %s, after the end of the CA on %s",
				result.NextUpdate.Format(time.DateOnly), end.Format(time.DateOnly))
		}
		result.NextUpdate = end.UTC()
		result.Warnings = append(result.Warnings, fmt.Sprintf("the list is good until the CA ends on %s, not for 7 days", end.Format(time.DateOnly)))
	}
	return authority, result, nil
}

// checkCRLSign refuses to sign lists that no one would take: RFC 5280 (6.3.3 f)
// has verifiers look for the usage, and OpenSSL and crypto/x509 do.
func (c *CA) checkCRLSign() error {
	cert := c.Certificate
	if cert.KeyUsage != 0 && cert.KeyUsage&x509.KeyUsageCRLSign == 0 {
		return failure.New(failure.Failed,
			"its key usage is without cRLSign, as kubeadm makes it, so that OpenSSL and others refuse its lists; make a CA with: pkictl init-ca",
			"the CA in %q may not sign revocation lists", c.Dir)
	}
	if len(cert.SubjectKeyId) == 0 {
		return failure.New(failure.Failed, "make a CA with a subject key identifier, as pkictl init-ca does",
			"the CA in %q has no key identifier, which its revocation lists must name", c.Dir)
	}
	return nil
}

// aki is the CA in the rows of what it has issued.
func (c *CA) aki() string { return hex.EncodeToString(c.Certificate.SubjectKeyId) }

// fillDry is fill without a lock, and where there need be no inventory.
func (o CRLOptions) fillDry(ctx context.Context, authority *CA, result *CRLResult) error {
	inv, err := store.OpenInventory(o.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		result.Number = big.NewInt(1)
		return nil
	}
	if err != nil {
		return err
	}
	defer inv.Close()
	return o.fill(ctx, authority, inv, result)
}

// fill finds the number and the entries of the list.
func (o CRLOptions) fill(ctx context.Context, authority *CA, inv *store.Inventory, result *CRLResult) error {
	last, err := inv.LastCRL(ctx, authority.aki())
	if err != nil {
		return err
	}
	// The inventory may be older than the list: one that was restored.
	var above *big.Int
	paths := []string{CRLPath(o.Dir)}
	if result.Path != "" && !isSameFile(result.Path, paths[0]) {
		paths = append(paths, result.Path)
	}
	for _, path := range paths {
		old, err := authority.published(path)
		if err != nil && path == result.Path {
			return err
		}
		if err != nil || old == nil {
			continue
		}
		if old.List.Number != nil && (above == nil || old.List.Number.Cmp(above) > 0) {
			above = old.List.Number
		}
		// A list that was recorded, but whose writer was killed, showed nobody anything.
		if path == result.Path && old.List.ThisUpdate.Before(last) {
			last = old.List.ThisUpdate
		}
	}
	if result.Number, err = inv.NextCRL(ctx, authority.aki(), above); err != nil {
		return err
	}
	if result.Number.BitLen() > 8*serialOctets-1 { // RFC 5280, 5.2.3
		return failure.New(failure.Failed, "make a new CA, whose numbers begin anew", "revocation lists of the CA in %q have no number left above %s", o.Dir, above)
	}
	rows, err := inv.Revoked(ctx, authority.aki(), last)
	if err != nil {
		return err
	}
	result.Entries, err = crlEntries(rows, result.ThisUpdate)
	return err
}

// crlEntries turns rows into entries, sorted by serial.
func crlEntries(rows []store.RevokedRow, now time.Time) ([]x509.RevocationListEntry, error) {
	entries := make([]x509.RevocationListEntry, len(rows))
	for i, row := range rows {
		serial, isNumber := new(big.Int).SetString(row.Serial, 10)
		if !isNumber {
			return nil, damagedRow(errors.New("no number"), "serial number", row.Serial)
		}
		at := row.RevokedAt.Time.UTC().Truncate(time.Second)
		if !row.RevokedAt.Valid || at.Year() < 1970 || at.After(now) { // another tool, or a clock, left no time to speak of
			at = now
		}
		entries[i] = x509.RevocationListEntry{SerialNumber: serial, RevocationTime: at, ReasonCode: row.Reason}
	}
	slices.SortFunc(entries, func(a, b x509.RevocationListEntry) int { return a.SerialNumber.Cmp(b.SerialNumber) })
	return entries, nil
}

// publish takes the number, signs, and puts the list in its place, in this
// order: whatever dies in between, no two lists have one number.
func (o CRLOptions) publish(authority *CA, dir *store.Dir, inv *store.Inventory, result *CRLResult) error {
	if err := inv.ReserveCRL(authority.aki(), result.Number); err != nil {
		return err
	}
	der, err := authority.signCRL(result)
	if err != nil {
		return err
	}
	data := encodeCRL(der, o.DER)
	if len(data) > store.MaxCRL {
		return failure.New(failure.Failed, "write DER, which is smaller, with --der, or make a new CA",
			"the revocation list of %d entries would be larger than %d MiB, which no one here reads", len(result.Entries), store.MaxCRL>>20)
	}
	result.Data = data
	record := func() error {
		return inv.RecordCRL(authority.aki(), store.CRL{Number: result.Number, ThisUpdate: result.ThisUpdate, NextUpdate: result.NextUpdate})
	}
	if result.Path == "" {
		return record()
	}
	return dir.Commit([]store.File{{Path: result.Path, Data: data, Mode: 0o644}}, true, record)
}

// signCRL signs the list, checks the signature and what was signed, and lints it.
func (c *CA) signCRL(result *CRLResult) ([]byte, error) {
	issuer := *c.Certificate
	issuer.KeyUsage |= x509.KeyUsageCRLSign // without the extension every usage is allowed, but crypto/x509 asks for it
	der, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{
		Number: result.Number, ThisUpdate: result.ThisUpdate, NextUpdate: result.NextUpdate,
		RevokedCertificateEntries: result.Entries,
	}, &issuer, c.key)
	if err != nil {
		return nil, err
	}
	lint := make(chan error, 1)
	go func() { lint <- lintCRL(der) }() // as long as all else that is done here
	list, err := x509.ParseRevocationList(der)
	if err != nil {
		return nil, err
	}
	same := slices.EqualFunc(list.RevokedCertificateEntries, result.Entries, func(a, b x509.RevocationListEntry) bool {
		return a.SerialNumber.Cmp(b.SerialNumber) == 0 && a.ReasonCode == b.ReasonCode && a.RevocationTime.Equal(b.RevocationTime)
	})
	isOurs := (&CRL{List: list}).isOf(c.Certificate)
	if !same || !isOurs || list.Number.Cmp(result.Number) != 0 || !bytes.Equal(list.AuthorityKeyId, c.Certificate.SubjectKeyId) {
		return nil, errors.New("the revocation list was not made as asked")
	}
	return der, <-lint
}
