package store

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cloudflare/cfssl/certdb"
)

// recordOut is a record with the path of its files.
func recordOut(t *testing.T, serial, name, out string) certdb.CertificateRecord {
	t.Helper()
	r := record(t, serial, "cn of "+serial)
	var err error
	r.MetadataJSON, err = json.Marshal(map[string]string{"name": name, "out": out})
	check(t, err)
	return r
}

func TestSuperseded(t *testing.T) {
	t.Parallel()
	inv, _ := newInventory(t)
	end := noon.Add(time.Hour)
	superseded := func() string {
		t.Helper()
		rows, err := inv.List(context.Background(), Filter{})
		check(t, err)
		var list []string
		for _, row := range rows {
			if row.Superseded {
				list = append(list, row.Serial)
			}
		}
		return strings.Join(list, " ")
	}
	inv.add(t, recordOut(t, "1", "jane", "jane"), end)
	inv.add(t, recordOut(t, "2", "jane", "/elsewhere/jane"), end)
	inv.add(t, recordOut(t, "3", "joe", "joe"), end)
	for _, serial := range []string{"41", "42"} { // cfssl's own rows have no metadata, and damaged ones no JSON
		r := record(t, serial, "x")
		r.MetadataJSON = nil
		inv.add(t, r, end)
	}
	check(t, inv.Reserve(noon, recordOut(t, "5", "jane", "jane")))
	_, err := inv.db.Exec("UPDATE certificates SET metadata = 'x' WHERE serial_number LIKE '4%'")
	check(t, err)
	if got := superseded(); got != "" {
		t.Errorf("with a reserved row: %s", got)
	}
	check(t, inv.Record(Signed{Serial: "5", AKI: "aki", PEM: "PEM", Expiry: end}))
	if got := superseded(); got != "1" {
		t.Errorf("issued again: %s", got)
	}
	inv.add(t, recordOut(t, "6", "jane", "jane"), end)
	check(t, inv.Revoke("6", "aki", 1, noon))
	if got := superseded(); got != "1 5" {
		t.Errorf("the third is revoked: %s", got)
	}
	check(t, inv.Forget(record(t, "6", "")))
	check(t, inv.Forget(record(t, "5", "")))
	if got := superseded(); got != "" {
		t.Errorf("the later ones are gone: %s", got)
	}
}

// TestListPlans has SQLite say that the questions which are asked of large
// inventories are answered from an index.
func TestListPlans(t *testing.T) {
	t.Parallel()
	inv, _ := newInventory(t)
	plan := func(query string, args ...any) string {
		t.Helper()
		var rows []struct {
			ID, Parent, NotUsed int
			Detail              string
		}
		check(t, inv.db.Select(&rows, "EXPLAIN QUERY PLAN "+query, args...))
		var lines []string
		for _, row := range rows {
			lines = append(lines, row.Detail)
		}
		return strings.Join(lines, "\n")
	}
	later := "SEARCH later USING INDEX certificates_files (<expr>=? AND <expr>=? AND rowid>?)"
	for _, test := range []struct {
		name  string
		f     Filter
		parts []string
	}{
		{"expiring", Filter{EndsAfter: noon, EndsBefore: noon}, []string{"SEARCH c USING INDEX certificates_expiry (expiry>? AND expiry<?)", later}},
		{"metrics", Filter{Status: StatusGood, EndsAfter: noon, Limit: 10}, []string{"SEARCH c USING INDEX certificates_expiry (expiry>?)", later}},
		{"serial", Filter{Serial: "1"}, []string{"SEARCH c USING INDEX sqlite_autoindex_certificates_1 (serial_number=?)"}},
		{"common name", Filter{CommonName: "x"}, []string{"SEARCH c USING INDEX certificates_common_name (common_name=?)"}},
		{"name", Filter{Name: "x"}, []string{"MULTI-INDEX OR", "SEARCH c USING INDEX certificates_common_name (common_name=?)", "SEARCH c USING INDEX certificates_files (<expr>=?)"}},
	} {
		query, args := test.f.query()
		got := plan(query, args...)
		for _, part := range test.parts {
			if !strings.Contains(got, part) {
				t.Errorf("%s: no %q in\n%s", test.name, part, got)
			}
		}
		if strings.Contains(got, "SCAN") || strings.Contains(query, "pem") {
			t.Errorf("%s: reads too much: %s\n%s", test.name, query, got)
		}
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	inv, _ := newInventory(t)
	end := noon.Add(time.Hour)
	inv.add(t, record(t, "1", "jane"), end)
	inv.add(t, record(t, "2", "jan%"), end)
	inv.add(t, record(t, "3", "jan\U0001F511"), end)
	inv.add(t, record(t, "4", "janice"), noon) // has ended
	inv.add(t, record(t, "5", "joe"), end)
	inv.add(t, recordOut(t, "6", "janus", "janus"), end)
	inv.add(t, record(t, "7", "january"), end)
	check(t, inv.Revoke("7", "aki", 0, noon))
	got, err := inv.Names(context.Background(), "jan", noon.Add(time.Second), 10)
	check(t, err)
	slices.Sort(got)
	if want := []string{"jan%", "jane", "janus", "jan\U0001F511"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if got, err := inv.Names(context.Background(), "j", noon, 2); err != nil || len(got) != 2 {
		t.Errorf("%q, %v", got, err)
	}
}
