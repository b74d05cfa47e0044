package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/big"
	"time"
)

// Revoke marks a certificate as revoked, for a reason of RFC 5280 (5.3.1), in
// the form in which cfssl does; it returns when the row is on the disk. A row
// that is reserved may be revoked too. One that is revoked is an error.
func (inv *Inventory) Revoke(serial, aki string, reason int, at time.Time) error {
	result, err := inv.db.Exec(`UPDATE certificates SET status = ?, reason = ?, revoked_at = ?
		WHERE serial_number = ? AND authority_key_identifier = ? AND status IN (?, ?)`,
		StatusRevoked, reason, at.UTC().Truncate(time.Second), serial, aki, StatusGood, StatusReserved)
	if err != nil {
		return inventoryError(err, "")
	}
	if n, err := result.RowsAffected(); err != nil || n != 1 {
		return fmt.Errorf("inventory: serial %s is not there, or revoked already", serial)
	}
	return nil
}

// RevokedRow is a certificate on a revocation list.
type RevokedRow struct {
	Serial    string       `db:"serial_number"` // decimal
	Reason    int          `db:"reason"`        // as in RFC 5280, 5.3.1
	RevokedAt sql.NullTime `db:"revoked_at"`
}

// Revoked returns what an issuer has revoked of those that end at a time or
// later, and what was never written, whose end nobody knows.
func (inv *Inventory) Revoked(ctx context.Context, aki string, endsAfter time.Time) ([]RevokedRow, error) {
	var rows []RevokedRow
	err := inv.db.SelectContext(ctx, &rows, `SELECT serial_number, coalesce(reason, 0) AS reason, revoked_at
		FROM certificates INDEXED BY certificates_revoked
		WHERE authority_key_identifier = ? AND status = 'revoked' AND (expiry >= ? OR pem = '')`, aki, endsAfter.UTC())
	return rows, inventoryError(err, "")
}

// CountRevoked returns how many certificates of an issuer are revoked.
func (inv *Inventory) CountRevoked(ctx context.Context, aki string) (int, error) {
	var n int
	err := inv.db.GetContext(ctx, &n, `SELECT count(*) FROM certificates
		WHERE authority_key_identifier = ? AND status = 'revoked'`, aki)
	return n, inventoryError(err, "")
}

// CRL is a revocation list in the inventory.
type CRL struct {
	Number     *big.Int
	ThisUpdate time.Time
	NextUpdate time.Time
}

// NextCRL returns the number that the issuer's next revocation list would have:
// above all that were taken and above the one that is given, which may be nil.
func (inv *Inventory) NextCRL(ctx context.Context, aki string, above *big.Int) (*big.Int, error) {
	number := new(big.Int)
	if above != nil {
		number.Set(above)
	}
	var last string
	err := inv.db.GetContext(ctx, &last, `SELECT number FROM crls WHERE authority_key_identifier = ?
		ORDER BY length(number) DESC, number DESC LIMIT 1`, aki)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, inventoryError(err, "")
	}
	if taken, isNumber := new(big.Int).SetString(last, 10); isNumber && taken.Cmp(number) > 0 {
		number = taken
	}
	return number.Add(number, big.NewInt(1)), nil
}

// ReserveCRL takes a number for the issuer's next revocation list; it returns
// when the number is on the disk.
func (inv *Inventory) ReserveCRL(aki string, number *big.Int) error {
	_, err := inv.db.Exec("INSERT INTO crls (authority_key_identifier, number) VALUES (?, ?)", aki, number.String())
	return inventoryError(err, "")
}

// RecordCRL completes a number that was reserved, when the list is about to be
// published; it returns when that is on the disk.
func (inv *Inventory) RecordCRL(aki string, list CRL) error {
	_, err := inv.db.Exec(`UPDATE crls SET this_update = ?, next_update = ?
		WHERE authority_key_identifier = ? AND number = ?`,
		list.ThisUpdate.UTC(), list.NextUpdate.UTC(), aki, list.Number.String())
	return inventoryError(err, "")
}

// LastCRL returns when the issuer's last revocation list was published, zero
// if there was none.
func (inv *Inventory) LastCRL(ctx context.Context, aki string) (time.Time, error) {
	var last time.Time
	err := inv.db.GetContext(ctx, &last, `SELECT this_update FROM crls
		WHERE authority_key_identifier = ? AND this_update IS NOT NULL
		ORDER BY length(number) DESC, number DESC LIMIT 1`, aki)
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, nil
	}
	return last, inventoryError(err, "")
}
