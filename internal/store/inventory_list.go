package store

import (
	"context"
	"strings"
	"time"

	"github.com/cloudflare/cfssl/certdb"
)

// Filter limits what List returns; zero fields do not limit.
type Filter struct {
	Serial     string // decimal, as in the record
	AKI        string // key identifier of the issuer, as in the record
	CommonName string
	Name       string    // the common name, or the name in the metadata
	Group      string    // one of the groups in the metadata
	Status     string    // as in the record
	EndsBefore time.Time //
	EndsAfter  time.Time //
	Limit      int       // the first of them only

	NoCredentials bool // leave out those that are marked as credentials in the metadata

	WithPEM bool // also read the certificates themselves
}

// Row is a certificate in the inventory.
type Row struct {
	certdb.CertificateRecord
	// Superseded says that a certificate was issued later for the same files.
	// Whether it has taken their place, only the files themselves can say.
	Superseded bool `db:"superseded"`
}

// What the index certificates_files is made of; TABLE stands for the name of the
// table. SQLite takes the index only where the expression is the same.
const (
	nameOf = "CASE WHEN json_valid(TABLE.metadata) THEN json_extract(TABLE.metadata, '$.name') END"
	outOf  = "CASE WHEN json_valid(TABLE.metadata) THEN json_extract(TABLE.metadata, '$.out') END"
)

// of names the table in an expression.
func of(table, expression string) string { return strings.ReplaceAll(expression, "TABLE", table) }

// columns are those of a Row. The certificates are most of the bytes.
var columns = strings.Join([]string{
	"c.serial_number, c.authority_key_identifier, coalesce(c.ca_label, '') AS ca_label, c.status, coalesce(c.reason, 0) AS reason",
	"c.expiry, c.revoked_at, c.issued_at, c.not_before, c.metadata, c.sans, c.common_name",
	"c.status = 'good' AND " + superseded + " AS superseded",
}, ", ")

// superseded says whether a certificate was issued later for the files of row c.
// Rows are numbered as they come in.
var superseded = `EXISTS (SELECT 1 FROM certificates later INDEXED BY certificates_files
		WHERE ` + of("later", nameOf) + " = " + of("c", nameOf) + `
		AND ` + of("later", outOf) + " = " + of("c", outOf) + `
		AND later.rowid > c.rowid AND later.status IN ('good', 'revoked'))`

// List returns the records that match the filter, the first to end first.
func (inv *Inventory) List(ctx context.Context, f Filter) ([]Row, error) {
	query, args := f.query()
	var rows []Row
	err := inv.db.SelectContext(ctx, &rows, query, args...)
	return rows, inventoryError(err, "")
}

// Each has yield called with each record that List would return, in its order,
// until there is an error. The row is another's as soon as yield returns. As
// long as it runs nobody can write: yield does not wait for anything.
func (inv *Inventory) Each(ctx context.Context, f Filter, yield func(*Row) error) error {
	query, args := f.query()
	rows, err := inv.db.QueryxContext(ctx, query, args...)
	if err != nil {
		return inventoryError(err, "")
	}
	defer rows.Close()
	var row Row
	for rows.Next() {
		row = Row{}
		if err := rows.StructScan(&row); err != nil {
			return inventoryError(err, "")
		}
		if err := yield(&row); err != nil {
			return err
		}
	}
	return inventoryError(rows.Err(), "")
}

// query returns the SQL for a filter, and its arguments.
func (f Filter) query() (string, []any) {
	var where []string
	var args []any
	add := func(condition string, values ...any) {
		where = append(where, condition)
		args = append(args, values...)
	}
	if f.Serial != "" {
		add("c.serial_number = ?", f.Serial)
	}
	if f.AKI != "" {
		add("c.authority_key_identifier = ?", f.AKI)
	}
	if f.CommonName != "" {
		add("c.common_name = ?", f.CommonName)
	}
	if f.Name != "" {
		add("(c.common_name = ? OR "+of("c", nameOf)+" = ?)", f.Name, f.Name)
	}
	if f.Group != "" {
		add("EXISTS (SELECT 1 FROM json_each(c.metadata, '$.groups') WHERE value = ?)", f.Group)
	}
	if f.Status != "" {
		add("c.status = '" + strings.ReplaceAll(f.Status, "'", "''") + "'") // a parameter would hide the partial index
	}
	if !f.EndsBefore.IsZero() {
		add("c.expiry < ?", f.EndsBefore.UTC())
	}
	if !f.EndsAfter.IsZero() {
		add("c.expiry >= ?", f.EndsAfter.UTC())
	}
	if f.NoCredentials {
		add("coalesce(CASE WHEN json_valid(c.metadata) THEN json_extract(c.metadata, '$.credential') END, 0) = 0")
	}
	query := "SELECT " + columns
	if f.WithPEM {
		query += ", c.pem"
	}
	query += " FROM certificates c"
	if where != nil {
		query += " WHERE " + strings.Join(where, " AND ")
	}
	query += " ORDER BY c.expiry, c.serial_number"
	if f.Limit > 0 {
		query += " LIMIT ?"
		args = append(args, f.Limit)
	}
	return query, args
}

// Names returns up to limit common names and names of files that begin with a
// prefix, of certificates that are in force, in no order. With a prefix of
// several letters it reads few rows.
func (inv *Inventory) Names(ctx context.Context, prefix string, now time.Time, limit int) ([]string, error) {
	var names []string
	// U+10FFFF is behind every character that a name may hold.
	from, to := prefix, prefix+"\U0010FFFF"
	err := inv.db.SelectContext(ctx, &names, `SELECT DISTINCT name FROM (
			SELECT c.common_name AS name FROM certificates c
			WHERE c.common_name >= ?1 AND c.common_name < ?2 AND c.status = 'good' AND c.expiry >= ?3
		UNION ALL
			SELECT `+of("c", nameOf)+` FROM certificates c
			WHERE `+of("c", nameOf)+" >= ?1 AND "+of("c", nameOf)+` < ?2 AND c.status = 'good' AND c.expiry >= ?3
		) LIMIT ?4`, from, to, now.UTC(), limit)
	return names, inventoryError(err, "")
}
