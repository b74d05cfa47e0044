package ca

import (
	"cmp"
	"crypto/x509"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"strings"

	"github.com/cloudflare/cfssl/certdb"

	"github.com/pkictl/pkictl/internal/store"
)

// profileImported is what the inventory says of certificates whose extended
// usages are those of no profile.
const profileImported = "imported"

// records describes what was found for the inventory of the CA in dir, the
// CA's own certificate first.
func (f *finding) records(dir string, authority *CA) ([]certdb.CertificateRecord, error) {
	own, err := importRecord(authority.Certificate, ownMetadata("ca", authority.Certificate.Subject.Organization))
	if err != nil {
		return nil, err
	}
	records := []certdb.CertificateRecord{own}
	rows := f.indexBySerial()
	for _, key := range f.order {
		found := f.certs[key]
		record, err := importRecord(found.cert, found.metadata(dir))
		if err != nil {
			return nil, err
		}
		record.AKI = key.aki
		if row, isListed := rows[key.serial]; isListed {
			row.isFound = true
			row.revoke(&record)
		}
		records = append(records, record)
	}
	for i := range f.index {
		row := &f.index[i]
		switch {
		case rows[row.serial.String()] != row: // another one says it
		case row.isFound:
		case row.status == indexRevoked:
			record, err := row.record(authority.Certificate)
			if err != nil {
				return nil, err
			}
			records = append(records, record)
		default:
			f.passed[skippedNoFile]++
		}
	}
	return records, nil
}

// indexBySerial finds the rows of index.txt and of revocation lists by the
// decimal serial number: those that say revoked, where there are several.
func (f *finding) indexBySerial() map[string]*indexRow {
	rows := make(map[string]*indexRow, len(f.index))
	for i := range f.index {
		row := &f.index[i]
		if known := rows[row.serial.String()]; known == nil || known.status != indexRevoked {
			rows[row.serial.String()] = row
		}
	}
	return rows
}

// importRecord describes a certificate that was issued long ago.
func importRecord(cert *x509.Certificate, meta Metadata) (certdb.CertificateRecord, error) {
	record, err := newRecord(cert, meta)
	record.Status = store.StatusGood
	record.PEM = string(EncodeCertificates(cert))
	record.Expiry = cert.NotAfter
	// The nearest to when it was issued.
	record.IssuedAt = &cert.NotBefore
	return record, err
}

// metadata names the certificate by its file. The path of its files is known
// only where its key stands beside it.
func (f *foundCertificate) metadata(dir string) Metadata {
	meta := Metadata{
		Name: baseName(f.path), Groups: f.cert.Subject.Organization, Profile: profileNameOf(f.cert),
	}
	if isSerialName(f) {
		meta.Name = cmp.Or(f.cert.Subject.CommonName, FormatSerial(f.cert.SerialNumber))
	}
	for _, path := range f.also {
		meta.Also = append(meta.Also, recordedPath(dir, path))
	}
	if len(meta.Also) > 0 {
		meta.Out = meta.Also[0]
	}
	if f.pair {
		meta.Out = recordedPath(dir, strings.TrimSuffix(f.path, ".crt"))
	}
	return meta
}

// revoke marks a record as the row does.
func (row *indexRow) revoke(record *certdb.CertificateRecord) {
	if row.status != indexRevoked {
		return
	}
	record.Status = store.StatusRevoked
	record.RevokedAt = row.revokedAt
	record.Reason = row.reason
}

// record describes a revoked certificate of which there is no file: a
// revocation list has to name it all the same.
func (row *indexRow) record(issuer *x509.Certificate) (certdb.CertificateRecord, error) {
	metadata, err := json.Marshal(Metadata{Name: row.name, Profile: profileImported})
	record := certdb.CertificateRecord{
		Serial: row.serial.String(), AKI: hex.EncodeToString(issuer.SubjectKeyId), Expiry: row.expires,
		MetadataJSON: metadata, SANsJSON: []byte("[]"), CommonName: sql.NullString{String: row.name, Valid: true},
	}
	row.revoke(&record)
	return record, err
}
