package store

import (
	"github.com/cloudflare/cfssl/certdb"
	"github.com/jmoiron/sqlx"
)

const importRow = `INSERT OR IGNORE INTO certificates (serial_number, authority_key_identifier, ca_label,
		status, reason, expiry, revoked_at, pem, issued_at, not_before, metadata, sans, common_name)
	VALUES (:serial_number, :authority_key_identifier, :ca_label,
		:status, :reason, :expiry, :revoked_at, :pem, :issued_at, :not_before, :metadata, :sans, :common_name)`

// Import records certificates that something else issued, all or none; it
// returns when the rows are on the disk, and says which are new. A row that is
// there already, of the same serial and issuer, stays as it is.
func (inv *Inventory) Import(records []certdb.CertificateRecord) (isNew []bool, err error) {
	isNew = make([]bool, len(records))
	err = inv.update(func(tx *sqlx.Tx) error {
		insert, err := tx.PrepareNamed(importRow)
		if err != nil {
			return err
		}
		for i, record := range records {
			record.Expiry = record.Expiry.UTC()
			record.RevokedAt = record.RevokedAt.UTC()
			result, err := insert.Exec(record)
			if err != nil {
				return err
			}
			rows, err := result.RowsAffected()
			if err != nil {
				return err
			}
			isNew[i] = rows > 0
		}
		return nil
	})
	return isNew, err
}
