package store

import (
	"context"
	"fmt"
	"math/big"
	"slices"
	"testing"
	"time"
)

// revoked lists what Revoked returns, as SERIAL REASON.
func revoked(t *testing.T, inv *Inventory, aki string, endsAfter time.Time) []string {
	t.Helper()
	rows, err := inv.Revoked(context.Background(), aki, endsAfter)
	check(t, err)
	list := []string{}
	for _, row := range rows {
		list = append(list, fmt.Sprintf("%s %d", row.Serial, row.Reason))
	}
	slices.Sort(list)
	return list
}

func TestRevoke(t *testing.T) {
	t.Parallel()
	inv, _ := newInventory(t)
	end := noon.Add(time.Hour)
	for _, serial := range []string{"1", "2", "3"} {
		inv.add(t, record(t, serial, "jane"), end)
	}
	other := record(t, "1", "jane")
	other.AKI = "another CA"
	inv.add(t, other, end)
	check(t, inv.Reserve(noon, record(t, "4", "never written")))

	at := noon.Add(90*time.Minute + 300*time.Millisecond).In(time.FixedZone("", 3600))
	check(t, inv.Revoke("1", "aki", 1, at))
	check(t, inv.Revoke("2", "aki", 0, at))
	check(t, inv.Revoke("4", "aki", 4, at))
	for _, serial := range []string{"1", "5"} {
		if err := inv.Revoke(serial, "aki", 1, at); err == nil {
			t.Errorf("serial %s was revoked", serial)
		}
	}
	// The form in which cfssl's own tools compare and read it.
	var text string
	check(t, inv.db.Get(&text, "SELECT status || ' ' || reason || ' ' || CAST(revoked_at AS text) FROM certificates WHERE serial_number = '1' AND status = 'revoked'"))
	if want := "revoked 1 2026-01-02 13:30:00+00:00"; text != want {
		t.Errorf("row says %q, want %q", text, want)
	}
	for _, test := range []struct {
		name      string
		aki       string
		endsAfter time.Time
		want      []string
	}{
		{"all", "aki", time.Time{}, []string{"1 1", "2 0", "4 4"}},
		{"at the very end", "aki", end, []string{"1 1", "2 0", "4 4"}},
		{"nobody knows the end of what was never written", "aki", end.Add(time.Second), []string{"4 4"}},
		{"of another issuer", "another CA", time.Time{}, []string{}},
	} {
		if got := revoked(t, inv, test.aki, test.endsAfter); !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
	if n, err := inv.CountRevoked(context.Background(), "aki"); err != nil || n != 3 {
		t.Errorf("%d are revoked (%v)", n, err)
	}
}

func TestCRLNumbers(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	inv, _ := newInventory(t)
	next := func(aki, above string) string {
		t.Helper()
		var limit *big.Int
		if above != "" {
			limit, _ = new(big.Int).SetString(above, 10)
		}
		number, err := inv.NextCRL(ctx, aki, limit)
		check(t, err)
		return number.String()
	}
	take := func(aki, number string) *big.Int {
		t.Helper()
		n, _ := new(big.Int).SetString(number, 10)
		check(t, inv.ReserveCRL(aki, n))
		return n
	}
	last := func() time.Time {
		t.Helper()
		at, err := inv.LastCRL(ctx, "aki")
		check(t, err)
		return at
	}
	if got := next("aki", ""); got != "1" || !last().IsZero() {
		t.Errorf("the first is %s, after one of %v", got, last())
	}
	nine := take("aki", "9")
	ten := take("aki", "10")
	for above, want := range map[string]string{"": "11", "3": "11", "10": "11", "100": "101", "99999999999999999999999999": "100000000000000000000000000"} {
		if got := next("aki", above); got != want {
			t.Errorf("above %q: %s, want %s", above, got, want)
		}
	}
	if err := inv.ReserveCRL("aki", ten); err == nil {
		t.Error("a number was taken twice")
	}
	if got := next("other", ""); got != "1" {
		t.Errorf("another issuer's first is %s", got)
	}
	// A number that was taken for a list which was never published says nothing of its time.
	check(t, inv.RecordCRL("aki", CRL{Number: nine, ThisUpdate: noon, NextUpdate: noon.Add(time.Hour)}))
	if !last().Equal(noon) {
		t.Errorf("the last was published %v", last())
	}
	check(t, inv.RecordCRL("aki", CRL{Number: ten, ThisUpdate: noon.Add(time.Minute), NextUpdate: noon.Add(time.Hour)}))
	if !last().Equal(noon.Add(time.Minute)) {
		t.Errorf("the last was published %v", last())
	}
}
