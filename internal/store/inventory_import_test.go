package store

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/cloudflare/cfssl/certdb"
)

func TestImport(t *testing.T) {
	t.Parallel()
	inv, _ := newInventory(t)
	inv.add(t, record(t, "2", "here before"), noon.Add(time.Hour))
	records := make([]certdb.CertificateRecord, 3)
	for i := range records {
		records[i] = record(t, fmt.Sprint(i+1), fmt.Sprintf("imported %d", i+1), "dev")
		records[i].Status, records[i].PEM, records[i].IssuedAt = StatusGood, "PEM", &noon
		records[i].Expiry = noon.Add(time.Duration(i) * time.Hour).In(time.FixedZone("", 3600))
	}
	revokedAt := noon.Add(-time.Hour).In(time.FixedZone("", 3600))
	records[2].Status, records[2].Reason, records[2].RevokedAt = StatusRevoked, 4, revokedAt
	outcomes, err := inv.Import(records)
	check(t, err)
	if want := []ImportOutcome{ImportedNew, ImportedKnown, ImportedNew}; !slices.Equal(outcomes, want) {
		t.Errorf("outcomes %v, want %v", outcomes, want)
	}
	rows, err := inv.List(context.Background(), Filter{WithPEM: true})
	check(t, err)
	if len(rows) != 3 {
		t.Fatalf("%d rows", len(rows))
	}
	for _, row := range rows {
		switch row.Serial {
		case "1":
			if row.Status != StatusGood || row.PEM != "PEM" || !row.Expiry.Equal(noon) || !row.IssuedAt.Equal(noon) || row.CommonName.String != "imported 1" {
				t.Errorf("%+v", row)
			}
		case "2":
			if row.CommonName.String != "here before" || row.PEM != "PEM of 2" {
				t.Errorf("a row has changed: %+v", row)
			}
		case "3":
			if row.Status != StatusRevoked || row.Reason != 4 || !row.RevokedAt.Equal(revokedAt) {
				t.Errorf("%+v", row)
			}
		}
	}
	// cfssl compares times as strings.
	var text string
	check(t, inv.db.Get(&text, "SELECT CAST(revoked_at AS text) FROM certificates WHERE serial_number = '3'"))
	if want := "2026-01-02 11:00:00+00:00"; text != want {
		t.Errorf("revoked at %q, want %q", text, want)
	}
	// All or none.
	_, err = inv.db.Exec("CREATE TRIGGER fail BEFORE INSERT ON certificates WHEN NEW.serial_number = '5' BEGIN SELECT RAISE(ABORT, 'no'); END")
	check(t, err)
	more := []certdb.CertificateRecord{record(t, "4", "four"), record(t, "5", "five")}
	if _, err := inv.Import(more); err == nil {
		t.Error("no error")
	}
	if got := serials(t, inv, Filter{}); len(got) != 3 {
		t.Errorf("rows %v", got)
	}
}

// TestImportRevocations: what was revoked since the first import is revoked,
// once, and nothing that is revoked is given another time or put in force.
func TestImportRevocations(t *testing.T) {
	t.Parallel()
	inv, _ := newInventory(t)
	records := make([]certdb.CertificateRecord, 3)
	for i := range records {
		records[i] = record(t, fmt.Sprint(i+1), fmt.Sprintf("imported %d", i+1))
		records[i].Status, records[i].PEM, records[i].IssuedAt, records[i].Expiry = StatusGood, "PEM", &noon, noon.Add(time.Hour)
	}
	_, err := inv.Import(records)
	check(t, err)
	check(t, inv.Revoke("3", "aki", 1, noon))
	since := noon.Add(time.Minute).In(time.FixedZone("", 3600))
	for i := range records[1:] {
		records[i+1].Status, records[i+1].Reason, records[i+1].RevokedAt = StatusRevoked, 4, since
	}
	for i, want := range [][]ImportOutcome{{ImportedKnown, ImportedRevoked, ImportedKnown}, {ImportedKnown, ImportedKnown, ImportedKnown}} {
		outcomes, err := inv.Import(records)
		check(t, err)
		if !slices.Equal(outcomes, want) {
			t.Errorf("import %d: %v, want %v", i, outcomes, want)
		}
	}
	records[1].Status = StatusGood
	_, err = inv.Import(records)
	check(t, err)
	revoked, err := inv.Revoked(context.Background(), "aki", noon)
	check(t, err)
	if len(revoked) != 2 || revoked[0].Serial != "2" || revoked[0].Reason != 4 || !revoked[0].RevokedAt.Time.Equal(since) ||
		revoked[1].Reason != 1 || !revoked[1].RevokedAt.Time.Equal(noon) {
		t.Errorf("revoked: %+v", revoked)
	}
	var text string
	check(t, inv.db.Get(&text, "SELECT CAST(revoked_at AS text) FROM certificates WHERE serial_number = '2'"))
	if want := "2026-01-02 12:01:00+00:00"; text != want {
		t.Errorf("revoked at %q, want %q", text, want)
	}
}
