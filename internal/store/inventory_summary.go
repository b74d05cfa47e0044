package store

import (
	"context"
	"time"
)

// Summary counts the rows of an inventory.
type Summary struct {
	All        int
	Valid      int // neither ended nor revoked, replaced ones included: they authenticate
	Expiring   int // of these, those that end within the time that was asked for, and need something done
	Expired    int
	Revoked    int
	Incomplete int  // serials that were taken, without a certificate
	Next       *Row // the first to end of those that need something done; nil for none
}

// toDo are the certificates for which something has to be done before they end:
// not replaced, and no credentials, which are renewed by who asks for them.
const toDo = `c.status = 'good' AND c.expiry >= ?1 AND c.serial_number <> ?2
	AND coalesce(CASE WHEN json_valid(c.metadata) THEN json_extract(c.metadata, '$.credential') END, 0) = 0`

// Summarize counts without reading the certificates, most of it in indexes. The
// row with the serial number except, which is that of the CA itself, is left out.
func (inv *Inventory) Summarize(ctx context.Context, now time.Time, within time.Duration, except string) (Summary, error) {
	var s Summary
	now = now.UTC()
	count := func(into *int, query string, args ...any) error {
		return inv.db.GetContext(ctx, into, "SELECT count(*) FROM certificates c WHERE "+query, args...)
	}
	var ended, revokedEnded int
	for _, q := range []struct {
		into  *int
		query string
		args  []any
	}{
		{&s.All, "true", nil},
		{&ended, "c.expiry < ?", []any{now}},
		{&s.Revoked, "c.status = 'revoked'", nil},
		{&revokedEnded, "c.status = 'revoked' AND c.expiry < ?", []any{now}},
		{&s.Incomplete, "c.status = 'reserved' AND c.expiry <= ?", []any{now}}, // a reserved row's end is when it was taken
		{&s.Expiring, toDo + " AND c.expiry < ?3 AND NOT " + superseded, []any{now, except, now.Add(within)}},
	} {
		if err := count(q.into, q.query, q.args...); err != nil {
			return s, inventoryError(err, "")
		}
	}
	s.Valid = s.All - ended - (s.Revoked - revokedEnded)
	s.Expired = ended - revokedEnded - s.Incomplete
	if err := inv.leaveOut(ctx, &s, now, except); err != nil {
		return s, err
	}
	var next []Row
	err := inv.db.SelectContext(ctx, &next, "SELECT "+columns+" FROM certificates c WHERE "+toDo+" AND NOT "+superseded+
		" ORDER BY c.expiry, c.serial_number LIMIT 1", now, except)
	if err == nil && len(next) > 0 {
		s.Next = &next[0]
	}
	return s, inventoryError(err, "")
}

// leaveOut takes the row of the CA from the counts.
func (inv *Inventory) leaveOut(ctx context.Context, s *Summary, now time.Time, except string) error {
	if except == "" {
		return nil
	}
	rows, err := inv.List(ctx, Filter{Serial: except})
	if err != nil {
		return err
	}
	for _, row := range rows {
		s.All--
		switch {
		case row.Status == StatusRevoked:
			s.Revoked--
		case row.Status == StatusReserved:
			s.Incomplete--
		case row.Expiry.Before(now):
			s.Expired--
		default:
			s.Valid--
		}
	}
	return nil
}
