package ca

import (
	"cmp"
	"crypto/x509"
	"encoding/hex"

	"github.com/cloudflare/cfssl/certdb"

	"github.com/pkictl/pkictl/internal/store"
)

// Foreign is a certificate that a CA elsewhere has signed.
type Foreign struct {
	Certificate *x509.Certificate
	Issuer      *x509.Certificate // nil where it is not known
	// Metadata is what the inventory keeps, with paths as in Member. Of a CA it
	// needs no more than the name.
	Metadata Metadata
}

// WriteForeign records certificates that others have signed in the inventory of
// a locked PKI directory, and writes files, which may exist, as one step: after
// any crash there are all of them or none. A row that is there already stays.
func WriteForeign(dir *store.Dir, certs []Foreign, files ...store.File) error {
	inv, err := dir.Inventory()
	if err != nil {
		return err
	}
	defer inv.Close()
	var records []certdb.CertificateRecord
	for _, f := range certs {
		record, err := f.record(dir)
		if err != nil {
			return err
		}
		records = append(records, record)
	}
	return dir.Commit(files, true, func() error {
		_, err := inv.Import(records)
		return err
	})
}

func (f Foreign) record(dir *store.Dir) (certdb.CertificateRecord, error) {
	meta := f.Metadata
	if f.Certificate.IsCA {
		meta = ownMetadata(meta.Name, f.Certificate.Subject.Organization)
	} else {
		meta = meta.beside(dir.Path())
		meta.Profile = cmp.Or(meta.Profile, profileNameOf(f.Certificate))
	}
	record, err := importRecord(f.Certificate, meta)
	if record.AKI == "" && f.Issuer != nil { // RFC 5280, 4.2.1.1 asks for one, openssl x509 -req puts none
		record.AKI = hex.EncodeToString(f.Issuer.SubjectKeyId)
	}
	return record, err
}
