package ca

import (
	"context"
	"crypto/x509"

	"github.com/pkictl/pkictl/internal/store"
)

// Mint makes a key and a certificate of the CA in o.Dir and hands them back. The
// inventory has the certificate, marked as a credential; files there are none.
// Of the options it takes those that say what the certificate holds, Dir, Now,
// Waiting and Passphrase. The warnings are those of Issue.
func Mint(ctx context.Context, o IssueOptions) (c Credential, warnings []string, err error) {
	req, err := o.Request()
	if err != nil {
		return c, nil, err
	}
	authority, err := Open(o.Dir)
	if err != nil {
		return c, nil, err
	}
	if err := authority.LoadKey(o.Passphrase); err != nil {
		return c, nil, err
	}
	defer authority.Close()
	p, err := authority.Prepare(req, o.Now)
	if err != nil {
		return c, nil, err
	}
	keyPEM, err := MarshalKey(p.key)
	if err != nil {
		return c, nil, err
	}
	dir, err := store.Lock(ctx, o.Dir, o.Waiting)
	if err != nil {
		return c, nil, err
	}
	defer func() { release(dir, err) }()
	inv, err := dir.Inventory()
	if err != nil {
		return c, nil, err
	}
	defer inv.Close()
	meta := Metadata{Name: req.CommonName, Groups: req.Groups, Profile: req.Profile.Name(), Credential: true}
	cert, err := authority.signRecorded(inv, p, meta, o)
	if err != nil {
		return c, nil, err
	}
	return authority.credential(cert, keyPEM), p.Warnings, nil
}

// signRecorded signs what no file waits for: the serial goes to the inventory,
// the CA's key is used, and the inventory takes the certificate.
func (c *CA) signRecorded(inv inventory, p *Prepared, meta Metadata, o IssueOptions) (*x509.Certificate, error) {
	record, err := newRecord(p.Linted, meta)
	if err != nil {
		return nil, err
	}
	if err := inv.Reserve(o.Now, record); err != nil {
		return nil, err
	}
	cert, err := p.sign(c.Certificate, c.key)
	if err == nil {
		err = inv.Record(store.Signed{
			Serial: record.Serial, AKI: record.AKI, PEM: string(EncodeCertificates(cert)), Expiry: cert.NotAfter,
		})
	}
	if err != nil {
		// The first error says what happened; a row too many does no harm.
		_ = inv.Forget(record)
		return nil, err
	}
	return cert, nil
}
