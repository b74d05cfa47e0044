package ca

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"time"

	"github.com/cloudflare/cfssl/certdb"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
)

// initIntermediate makes a CA that the one in o.Parent signs.
func initIntermediate(ctx context.Context, o InitOptions) (*InitResult, error) {
	req, err := o.request()
	if err != nil {
		return nil, err
	}
	if isSameFile(o.Dir, o.Parent) {
		return nil, failure.New(failure.Usage, "choose another directory for the new CA with --dir",
			"%q is the directory of the CA that is to sign the new one", o.Parent)
	}
	if err := o.checkFree(ctx); err != nil {
		return nil, err
	}
	if !o.DryRun {
		if err := store.Recover(ctx, o.Parent, o.Waiting); err != nil {
			return nil, err
		}
	}
	parent, err := Open(o.Parent)
	if err != nil {
		return nil, err
	}
	if err := parent.mayHaveBelow(&req, o.Now); err != nil {
		return nil, err
	}
	if err := parent.loadKeyFor(o.DryRun, o.Passphrase); err != nil {
		return nil, err
	}
	defer parent.Close()
	key, keyPEM, err := o.makeKey(req.Key)
	if err != nil {
		return nil, err
	}
	defer CloseKey(key)
	prepared, err := parent.prepareCA(req, key, o.Now)
	if err != nil {
		return nil, err
	}
	result := &InitResult{
		Certificate: prepared.Linted, Warnings: prepared.Warnings,
		CertPath: o.paths().cert, KeyPath: o.paths().key, ChainPath: o.paths().chain,
		Encrypted: o.encrypts(), InToken: o.PKCS11 != "",
	}
	if o.DryRun {
		return result, nil
	}
	return result, o.writeIntermediate(ctx, parent, prepared, keyPEM, result)
}

// mayHaveBelow refuses what the CA may not sign, or not in its own time, and
// gives the request a name if it has none.
func (c *CA) mayHaveBelow(req *caRequest, now time.Time) error {
	if err := c.checkTime(now); err != nil {
		return err
	}
	if err := c.checkPathLength(req.pathLength); err != nil {
		return err
	}
	if err := c.nameCA(req); err != nil {
		return err
	}
	if _, _, err := c.period(req.Request, now, &Prepared{}); err != nil {
		return err
	}
	return c.checkPermitted(req.permitted)
}

// prepareCA is Prepare for the certificate of a CA below this one.
func (c *CA) prepareCA(req caRequest, key crypto.Signer, now time.Time) (*Prepared, error) {
	if err := c.checkForeignKey(key.Public()); err != nil { // one in a token may be there already
		return nil, err
	}
	p := &Prepared{request: req.Request, key: key}
	notBefore, notAfter, err := c.period(req.Request, now, p)
	if err != nil {
		return nil, err
	}
	if p.template, err = caTemplate(req, p.key.Public(), notBefore, notAfter); err != nil {
		return nil, err
	}
	p.template.AuthorityKeyId = c.Certificate.SubjectKeyId
	if p.Linted, err = c.signThrowaway(p.template); err != nil {
		return nil, failure.Wrap(err, failure.Usage, lintHint, "a CA %q cannot be made as asked", req.CommonName)
	}
	if err := lintCertificate(p.Linted.Raw); err != nil {
		return nil, err
	}
	if err := p.compareFrame(c.Certificate); err != nil {
		return nil, err
	}
	if err := req.compare(p.Linted); err != nil {
		return nil, err
	}
	p.Warnings = append(p.Warnings, req.warnings()...)
	return p, nil
}

// signThrowaway signs a template in the CA's name with a key that is thrown
// away.
func (c *CA) signThrowaway(template *x509.Certificate) (*x509.Certificate, error) {
	s, err := c.standIn()
	if err != nil {
		return nil, err
	}
	der, err := x509.CreateCertificate(rand.Reader, template, &s.certificate, template.PublicKey, s.key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// checkPathLength refuses a CA below which more others may stand than this one
// and those above it allow (RFC 5280, 4.2.1.9).
func (c *CA) checkPathLength(wanted int) error {
	for depth, issuer := range c.Bundle() {
		if issuer.MaxPathLen < 0 {
			continue
		}
		left := issuer.MaxPathLen - depth - 1 // for the new one
		switch {
		case left < 0:
			return failure.New(failure.Usage, "sign it with a CA that allows more: see the path length with pkictl inspect, and choose it with --path-length",
				"CA %q allows no CA below %q: its path length is %d", FormatName(issuer.RawSubject), c.Dir, issuer.MaxPathLen)
		case wanted > left || wanted < 0:
			return failure.New(failure.Usage, fmt.Sprintf("ask for --path-length %d at most", left),
				"path length %d is more than CA %q allows, whose own is %d", wanted, FormatName(issuer.RawSubject), issuer.MaxPathLen)
		}
	}
	return nil
}

// nameCA gives the request a name if it has none, and refuses that of a CA
// above: verifiers find an issuer by its name.
func (c *CA) nameCA(req *caRequest) error {
	taken := func() (bool, error) {
		name, err := subject(req.Groups, req.CommonName)
		return slices.ContainsFunc(c.Bundle(), func(above *x509.Certificate) bool {
			return bytes.Equal(above.RawSubject, name)
		}), err
	}
	if req.CommonName != "" {
		isTaken, err := taken()
		if isTaken {
			err = failure.New(failure.Usage, "choose another name with --cn",
				"%q is the name of a CA above; verifiers would take one for the other", req.CommonName)
		}
		return err
	}
	req.CommonName = DefaultIntermediateCommonName
	for n := 2; ; n++ {
		if isTaken, err := taken(); !isTaken || err != nil {
			return err
		}
		req.CommonName = fmt.Sprintf("%s-%d", DefaultIntermediateCommonName, n)
	}
}

// checkPermitted refuses names that this CA may not certify itself: those of a
// network by its first and last address.
func (c *CA) checkPermitted(permitted permittedNames) error {
	key, err := GenerateKey(ECDSAP256) // any: it is not looked at
	if err != nil {
		return err
	}
	probe := &Prepared{template: &x509.Certificate{
		SerialNumber: c.Certificate.SerialNumber, PublicKey: key.Public(), DNSNames: permitted.dns,
		NotBefore: c.Certificate.NotBefore, NotAfter: c.Certificate.NotAfter,
	}}
	for _, network := range permitted.networks() {
		last := make(net.IP, len(network.IP))
		for i := range last {
			last[i] = network.IP[i] | ^network.Mask[i]
		}
		probe.template.IPAddresses = append(probe.template.IPAddresses, network.IP, last)
	}
	return c.checkNames(probe)
}

func (o InitOptions) writeIntermediate(ctx context.Context, parent *CA, p *Prepared, keyPEM []byte, result *InitResult) (err error) {
	// Always the parent first: two that wait for each other would need each
	// to be the other's parent.
	above, err := store.Lock(ctx, o.Parent, o.Waiting)
	if err != nil {
		return err
	}
	defer func() { releaseAbove(above, err) }()
	dir, err := store.Create(ctx, o.Dir, o.Waiting)
	if err != nil {
		return err
	}
	defer func() { release(dir, err) }()
	if err := checkNoCA(o.Dir, o.Name); err != nil {
		return err // another process made one while this one waited
	}
	issuers, err := above.Inventory()
	if err != nil {
		return err
	}
	defer issuers.Close()
	own, err := dir.Inventory()
	if err != nil {
		return err
	}
	defer own.Close()
	issued := &pending{
		linted: p.Linted,
		meta:   o.metadataBelow(),
		sign:   func() (*x509.Certificate, error) { return p.sign(parent.Certificate, parent.key) },
		files: func(cert *x509.Certificate) ([]store.File, error) {
			return o.paths().files(keyPEM, cert, parent.Bundle()...), nil
		},
	}
	ownRecord, err := newRecord(p.Linted, ownMetadata(o.name(), o.Organizations))
	if err != nil {
		return err
	}
	inv := twoInventories{issuers: issuers, own: own, ownRecord: ownRecord}
	if err := (issuance{inv: inv, dir: dir, now: o.Now}).run(issued); err != nil {
		return err
	}
	result.Certificate = issued.cert
	return nil
}

// releaseAbove is release for the directory of the CA that signed: where the
// new CA's files are only waiting to be completed, its inventory must stay.
func releaseAbove(dir *store.Dir, err error) {
	var left *store.PendingError
	if errors.As(err, &left) {
		err = nil
	}
	release(dir, err)
}

// metadataBelow is what the parent's inventory says of the new CA, which has
// the name of its directory.
func (o InitOptions) metadataBelow() Metadata {
	meta := Metadata{
		Name: filepath.Base(filepath.Clean(o.Dir)), Groups: o.Organizations, Profile: profileCA,
		Out: recordedPath(o.Parent, filepath.Join(o.Dir, o.name())),
	}
	if abs, err := filepath.Abs(o.Dir); err == nil {
		meta.Name = filepath.Base(abs)
	}
	return meta
}

// twoInventories records a new CA in its issuer's inventory, and then in its
// own, as a root CA is in its own.
type twoInventories struct {
	issuers, own *store.Inventory
	ownRecord    certdb.CertificateRecord
}

func (t twoInventories) Reserve(now time.Time, records ...certdb.CertificateRecord) error {
	if err := t.issuers.Reserve(now, records...); err != nil {
		return err
	}
	err := t.own.Reserve(now, t.ownRecord)
	if err != nil {
		_ = t.issuers.Forget(records...) // the first error says what happened
	}
	return err
}

func (t twoInventories) Record(signed ...store.Signed) error {
	if err := t.issuers.Record(signed...); err != nil {
		return err
	}
	return t.own.Record(signed...)
}

func (t twoInventories) Forget(records ...certdb.CertificateRecord) error {
	return errors.Join(t.own.Forget(records...), t.issuers.Forget(records...))
}
