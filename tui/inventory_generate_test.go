package tui

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/pkictl/pkictl/ca"
)

// generateInventory makes a CA with an inventory of so many certificates more,
// of all states, in an order of ends that is not that of names.
func generateInventory(tb testing.TB, pki string, rows int) {
	tb.Helper()
	now := time.Now()
	if _, err := ca.Init(context.Background(), ca.InitOptions{Dir: pki, Now: now}); err != nil {
		tb.Fatal(err)
	}
	o := ca.IssueOptions{Dir: pki, CommonName: "user", Groups: []string{"developers"}, Now: now}
	if _, err := ca.Issue(context.Background(), o); err != nil {
		tb.Fatal(err)
	}
	db, err := sql.Open("sqlite", "file:"+filepath.Join(pki, "inventory.db")+"?_pragma=journal_mode(OFF)&_pragma=synchronous(OFF)")
	if err != nil {
		tb.Fatal(err)
	}
	// Serials are random, and strings in the inventory.
	_, err = db.Exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
		INSERT INTO certificates
		SELECT printf('%d%019d%010d', 1 + abs(random()) % 9, abs(random()), i), authority_key_identifier, ca_label,
			iif(i % 50 = 3, 'revoked', status), i % 6,
			strftime('%Y-%m-%d %H:%M:%S+00:00', 'now', printf('%+d days', i * 7919 % 400 - 20), '+' || (i % 86400) || ' seconds'),
			iif(i % 50 = 3, strftime('%Y-%m-%d %H:%M:%S+00:00', 'now', '-1 day'), revoked_at), pem, issued_at, not_before,
			json_set(metadata, '$.name', 'user-' || (i / 2), '$.out', 'user-' || (i / 2), '$.profile', iif(i % 3 = 0, 'server', 'client'),
				'$.groups', json_array('team-' || (i % 97), 'developers')), sans, 'user-' || (i / 2)
		FROM certificates, n WHERE common_name = 'user'`, rows)
	if err := errors.Join(err, db.Close()); err != nil {
		tb.Fatal(err)
	}
}
