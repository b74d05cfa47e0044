package ca

import (
	"crypto/x509"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"time"

	"github.com/cloudflare/cfssl/certdb"

	"github.com/pkictl/pkictl/internal/store"
)

// Metadata is what the inventory keeps of a certificate beside cfssl's columns.
type Metadata struct {
	Name    string   `json:"name"`             // base name of its files
	Groups  []string `json:"groups,omitempty"` // organizations of its subject
	Profile string   `json:"profile"`
	Key     string   `json:"key,omitempty"` // kind of its key
	Out     string   `json:"out"`           // path of its files without .crt and .key, absolute or below the PKI directory
}

// newRecord describes a certificate that is about to be signed; cert may be its
// linted stand-in.
func newRecord(cert *x509.Certificate, meta Metadata) (certdb.CertificateRecord, error) {
	meta.Key = KeyName(cert.PublicKey)
	metadata, err := json.Marshal(meta)
	if err != nil {
		return certdb.CertificateRecord{}, err
	}
	sans, err := json.Marshal(SANsOf(cert).Strings())
	if err != nil {
		return certdb.CertificateRecord{}, err
	}
	return certdb.CertificateRecord{
		Serial:       cert.SerialNumber.String(),
		AKI:          hex.EncodeToString(cert.AuthorityKeyId),
		NotBefore:    &cert.NotBefore,
		MetadataJSON: metadata,
		SANsJSON:     sans,
		CommonName:   sql.NullString{String: cert.Subject.CommonName, Valid: true},
	}, nil
}

// issuance is one certificate on its way to the disk.
type issuance struct {
	inv     *store.Inventory
	dir     *store.Dir
	meta    Metadata
	now     time.Time
	replace bool
	// linted is the certificate before it is signed.
	linted *x509.Certificate
	// sign makes the certificate, once the serial is recorded.
	sign func() (*x509.Certificate, error)
	// files returns what is written.
	files func(cert *x509.Certificate) ([]store.File, error)
}

// run records the serial, signs, records the certificate, and puts the files in
// their places, in this order: whatever dies in between, no certificate exists
// without its row. When it fails before the files are written, the row goes: the
// certificate never left this process.
func (i issuance) run() (*x509.Certificate, error) {
	record, err := newRecord(i.linted, i.meta)
	if err != nil {
		return nil, err
	}
	if err := i.inv.Reserve(record, i.now); err != nil {
		return nil, err
	}
	cert, err := i.publish(record)
	var pending *store.PendingError
	if err != nil && !errors.As(err, &pending) {
		// The first error says what happened; a row too many does no harm.
		_ = i.inv.Forget(record.Serial, record.AKI)
	}
	return cert, err
}

func (i issuance) publish(record certdb.CertificateRecord) (*x509.Certificate, error) {
	cert, err := i.sign()
	if err != nil {
		return nil, err
	}
	files, err := i.files(cert)
	if err != nil {
		return nil, err
	}
	return cert, i.dir.Commit(files, i.replace, func() error {
		return i.inv.Record(record.Serial, record.AKI, string(EncodeCertificates(cert)), cert.NotAfter)
	})
}

// release frees the lock of a directory after a change that ended with err.
func release(dir *store.Dir, err error) {
	if err != nil {
		dir.Abandon()
	} else {
		dir.Unlock()
	}
}

// EncodeCertificates encodes certificates as PEM, one after the other.
func EncodeCertificates(certs ...*x509.Certificate) []byte {
	var data []byte
	for _, cert := range certs {
		data = append(data, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})...)
	}
	return data
}
