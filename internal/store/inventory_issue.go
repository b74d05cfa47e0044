package store

import (
	"fmt"
	"time"

	"github.com/cloudflare/cfssl/certdb"
	"github.com/jmoiron/sqlx"
)

// cfssl's Accessor does the same for one row, but its errors hide SQLite's.
const reserveRow = `INSERT INTO certificates (serial_number, authority_key_identifier, ca_label,
		status, reason, expiry, revoked_at, pem, issued_at, not_before, metadata, sans, common_name)
	VALUES (:serial_number, :authority_key_identifier, :ca_label,
		:status, :reason, :expiry, :revoked_at, :pem, :issued_at, :not_before, :metadata, :sans, :common_name)`

const recordRow = `UPDATE certificates SET status = ?, pem = ?, expiry = ?
	WHERE serial_number = ? AND authority_key_identifier = ? AND status = ?`

const withdrawRow = `UPDATE certificates SET status = ?, pem = '', expiry = issued_at
	WHERE serial_number = ? AND authority_key_identifier = ? AND status = ?`

const forgetRow = `DELETE FROM certificates WHERE serial_number = ? AND authority_key_identifier = ?`

// Signed completes a row that was reserved.
type Signed struct {
	Serial string // decimal
	AKI    string // hexadecimal
	PEM    string
	Expiry time.Time
}

// Reserve records certificates that are about to be signed, all or none; it
// returns when the rows are on the disk. They say reserved, and have neither
// PEM nor an end in the future, until Record completes them.
func (inv *Inventory) Reserve(now time.Time, records ...certdb.CertificateRecord) error {
	now = now.UTC()
	return inv.update(func(tx *sqlx.Tx) error {
		insert, err := tx.PrepareNamed(reserveRow)
		if err != nil {
			return err
		}
		for _, record := range records {
			record.Status = StatusReserved
			record.PEM = ""
			record.IssuedAt = &now
			record.Expiry = now
			record.RevokedAt = record.RevokedAt.UTC()
			if _, err := insert.Exec(record); err != nil {
				return err
			}
		}
		return nil
	})
}

// Record completes reserved rows, all or none; it returns when they are on the
// disk.
func (inv *Inventory) Record(signed ...Signed) error {
	return inv.update(func(tx *sqlx.Tx) error {
		update, err := tx.Preparex(recordRow)
		if err != nil {
			return err
		}
		for _, s := range signed {
			result, err := update.Exec(StatusGood, s.PEM, s.Expiry.UTC(), s.Serial, s.AKI, StatusReserved)
			if err != nil {
				return err
			}
			if n, err := result.RowsAffected(); err != nil || n != 1 {
				return fmt.Errorf("serial %s is not reserved", s.Serial)
			}
		}
		return nil
	})
}

// rowIDs returns what names the rows of certificates.
func rowIDs(signed []Signed) [][2]string {
	ids := make([][2]string, len(signed))
	for i, s := range signed {
		ids[i] = [2]string{s.Serial, s.AKI}
	}
	return ids
}

// withdraw makes rows what they were before Record.
func (inv *Inventory) withdraw(rows [][2]string) error {
	return inv.update(func(tx *sqlx.Tx) error {
		for _, row := range rows {
			if _, err := tx.Exec(withdrawRow, StatusReserved, row[0], row[1], StatusGood); err != nil {
				return err
			}
		}
		return nil
	})
}

// Forget deletes rows whose certificates were never written anywhere.
func (inv *Inventory) Forget(records ...certdb.CertificateRecord) error {
	return inv.update(func(tx *sqlx.Tx) error {
		for _, record := range records {
			if _, err := tx.Exec(forgetRow, record.Serial, record.AKI); err != nil {
				return err
			}
		}
		return nil
	})
}

// update makes several changes as one.
func (inv *Inventory) update(change func(tx *sqlx.Tx) error) error {
	tx, err := inv.db.Beginx()
	if err == nil {
		defer tx.Rollback()
		err = change(tx)
	}
	if err == nil {
		err = tx.Commit()
	}
	return inventoryError(err, "")
}
