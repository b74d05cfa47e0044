package store

import (
	"database/sql"
	"time"

	"github.com/cloudflare/cfssl/certdb"
	"github.com/jmoiron/sqlx"
)

const importRow = `INSERT OR IGNORE INTO certificates (serial_number, authority_key_identifier, ca_label,
		status, reason, expiry, revoked_at, pem, issued_at, not_before, metadata, sans, common_name)
	VALUES (:serial_number, :authority_key_identifier, :ca_label,
		:status, :reason, :expiry, :revoked_at, :pem, :issued_at, :not_before, :metadata, :sans, :common_name)`

const importRevocation = `UPDATE certificates SET status = ?, reason = ?, revoked_at = ?
	WHERE serial_number = ? AND authority_key_identifier = ? AND status = ?`

// ImportOutcome is what Import made of a record.
type ImportOutcome int

// What becomes of a record.
const (
	ImportedNew     ImportOutcome = iota // its row is new
	ImportedKnown                        // there was a row, which stays as it is
	ImportedRevoked                      // there was a row in force, which is revoked now
)

// Import records certificates that something else issued, all or none; it
// returns when the rows are on the disk, and says what became of each. A row
// that is there already, of the same serial and issuer, stays as it is, unless
// the record says that it was revoked since.
func (inv *Inventory) Import(records []certdb.CertificateRecord) (outcomes []ImportOutcome, err error) {
	outcomes = make([]ImportOutcome, len(records))
	err = inv.update(func(tx *sqlx.Tx) error {
		insert, err := tx.PrepareNamed(importRow)
		if err != nil {
			return err
		}
		for i, record := range records {
			if outcomes[i], err = importOne(tx, insert, record); err != nil {
				return err
			}
		}
		return nil
	})
	return outcomes, err
}

func importOne(tx *sqlx.Tx, insert *sqlx.NamedStmt, record certdb.CertificateRecord) (ImportOutcome, error) {
	record.Expiry = record.Expiry.UTC()
	record.RevokedAt = record.RevokedAt.UTC()
	result, err := insert.Exec(record)
	if isNew, err := isOne(result, err); isNew || err != nil {
		return ImportedNew, err
	}
	if record.Status != StatusRevoked {
		return ImportedKnown, nil
	}
	result, err = tx.Exec(importRevocation, StatusRevoked, record.Reason, record.RevokedAt.Truncate(time.Second),
		record.Serial, record.AKI, StatusGood)
	if isRevoked, err := isOne(result, err); isRevoked || err != nil {
		return ImportedRevoked, err
	}
	return ImportedKnown, nil
}

// isOne says whether a statement has changed a row.
func isOne(result sql.Result, err error) (bool, error) {
	if err != nil {
		return false, err
	}
	n, err := result.RowsAffected()
	return n == 1, err
}
