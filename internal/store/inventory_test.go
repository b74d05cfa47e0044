package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cloudflare/cfssl/certdb"

	"github.com/pkictl/pkictl/internal/failure"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// newInventory makes an empty inventory in a directory of the test's own.
func newInventory(t *testing.T) (*Inventory, string) {
	t.Helper()
	dir := t.TempDir()
	inv, err := openInventory(filepath.Join(dir, inventoryName), true)
	check(t, err)
	t.Cleanup(func() { _ = inv.Close() })
	return inv, dir
}

func record(t *testing.T, serial, name string, groups ...string) certdb.CertificateRecord {
	t.Helper()
	metadata, err := json.Marshal(map[string]any{"name": name, "groups": groups})
	check(t, err)
	return certdb.CertificateRecord{
		Serial: serial, AKI: "aki", MetadataJSON: metadata, SANsJSON: []byte(`["x"]`), NotBefore: &noon,
		CommonName: sql.NullString{String: name, Valid: true},
	}
}

// add records a certificate that ends at some time.
func (inv *Inventory) add(t *testing.T, r certdb.CertificateRecord, end time.Time) {
	t.Helper()
	check(t, inv.Reserve(noon, r))
	check(t, inv.Record(Signed{Serial: r.Serial, AKI: r.AKI, PEM: "PEM of " + r.Serial, Expiry: end}))
}

func serials(t *testing.T, inv *Inventory, f Filter) []string {
	t.Helper()
	rows, err := inv.List(context.Background(), f)
	check(t, err)
	list := []string{}
	for _, row := range rows {
		list = append(list, row.Serial)
	}
	return list
}

func TestInventoryRow(t *testing.T) {
	t.Parallel()
	inv, dir := newInventory(t)
	r := record(t, "7", "jane", "dev")
	check(t, inv.Reserve(noon, r))
	if err := inv.Reserve(noon, r); err == nil {
		t.Error("one serial was reserved twice")
	}
	other := r
	other.AKI = "another CA"
	check(t, inv.Reserve(noon, other))
	check(t, inv.Forget(other))
	rows, err := inv.List(context.Background(), Filter{WithPEM: true})
	check(t, err)
	if len(rows) != 1 || rows[0].Status != StatusReserved || rows[0].PEM != "" || !rows[0].Expiry.Equal(noon) {
		t.Errorf("reserved: %+v", rows)
	}
	end := noon.Add(time.Hour).In(time.FixedZone("", 3600))
	check(t, inv.Record(Signed{Serial: "7", AKI: "aki", PEM: "PEM", Expiry: end}))
	if err := inv.Record(Signed{Serial: "7", AKI: "aki", PEM: "PEM", Expiry: end}); err == nil {
		t.Error("a row was completed twice")
	}
	if err := inv.Record(Signed{Serial: "8", AKI: "aki", PEM: "PEM", Expiry: end}); err == nil {
		t.Error("a row that was not reserved was completed")
	}
	check(t, inv.Close())

	inv, err = OpenInventory(dir)
	check(t, err)
	defer inv.Close()
	rows, err = inv.List(context.Background(), Filter{WithPEM: true})
	check(t, err)
	if len(rows) != 1 {
		t.Fatalf("%d rows", len(rows))
	}
	got := rows[0]
	if got.Status != StatusGood || got.PEM != "PEM" || !got.Expiry.Equal(end) || !got.NotBefore.Equal(noon) ||
		!got.IssuedAt.Equal(noon) || got.CommonName.String != "jane" || string(got.SANsJSON) != `["x"]` {
		t.Errorf("read back: %+v", got)
	}
	// cfssl's queries compare times with CURRENT_TIMESTAMP, as strings.
	var text string
	check(t, inv.db.Get(&text, "SELECT CAST(expiry AS text) FROM certificates"))
	if want := "2026-01-02 13:00:00+00:00"; text != want {
		t.Errorf("end is written %q, want %q", text, want)
	}
}

func TestInventoryFilter(t *testing.T) {
	t.Parallel()
	inv, _ := newInventory(t)
	inv.add(t, record(t, "1", "jane", "dev", "ops"), noon.Add(3*time.Hour))
	inv.add(t, record(t, "2", "jane", "dev"), noon.Add(1*time.Hour))
	inv.add(t, record(t, "3", "it's; DROP TABLE certificates", "o'ps"), noon.Add(2*time.Hour))
	inv.add(t, record(t, "4", "joe"), noon.Add(2*time.Hour))
	tests := []struct {
		name   string
		filter Filter
		want   []string
	}{
		{"all, first to end first", Filter{}, []string{"2", "3", "4", "1"}},
		{"name", Filter{CommonName: "jane"}, []string{"2", "1"}},
		{"name is no pattern", Filter{CommonName: "ja%"}, []string{}},
		{"name is no SQL", Filter{CommonName: "it's; DROP TABLE certificates"}, []string{"3"}},
		{"group", Filter{Group: "ops"}, []string{"1"}},
		{"group with a quote", Filter{Group: "o'ps"}, []string{"3"}},
		{"part of a group", Filter{Group: "op"}, []string{}},
		{"ends before", Filter{EndsBefore: noon.Add(2 * time.Hour)}, []string{"2"}},
		{"ends after", Filter{EndsAfter: noon.Add(2 * time.Hour)}, []string{"3", "4", "1"}},
		{"other time zone", Filter{EndsBefore: noon.Add(2 * time.Hour).In(time.FixedZone("", -7*3600))}, []string{"2"}},
		{"all at once", Filter{CommonName: "jane", Group: "dev", EndsAfter: noon, EndsBefore: noon.Add(2 * time.Hour)}, []string{"2"}},
	}
	for _, test := range tests {
		if got := serials(t, inv, test.filter); !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

// TestInventorySchema compares the tables with those that cfssl's own
// migrations make.
func TestInventorySchema(t *testing.T) {
	t.Parallel()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/cloudflare/cfssl").Output()
	check(t, err)
	scripts, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(out)), "certdb", "sqlite", "migrations", "*.sql"))
	check(t, err)
	if len(scripts) < 2 {
		t.Fatalf("cfssl has %d migrations", len(scripts))
	}
	theirs, err := sql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "theirs.db"))
	check(t, err)
	defer theirs.Close()
	for _, script := range scripts {
		data, err := os.ReadFile(script)
		check(t, err)
		up, _, found := strings.Cut(string(data), "-- +goose Down")
		if !found {
			t.Fatalf("%s has no Down", script)
		}
		_, err = theirs.Exec(up)
		check(t, err)
	}
	inv, _ := newInventory(t)
	for _, pragma := range []string{
		"table_info(certificates)", "table_info(ocsp_responses)",
		"foreign_key_list(ocsp_responses)", "foreign_key_list(certificates)",
	} {
		their, our := strings.Join(dump(t, theirs, pragma), "\n"), strings.Join(dump(t, inv.db.DB, pragma), "\n")
		if their != our {
			t.Errorf("%s: cfssl's:\n%s\nours:\n%s", pragma, their, our)
		}
	}
	if rows := dump(t, inv.db.DB, "table_info(certificates)"); len(rows) != 13 {
		t.Errorf("certificates has %d columns", len(rows))
	}
}

func dump(t *testing.T, db *sql.DB, pragma string) []string {
	t.Helper()
	rows, err := db.Query("PRAGMA " + pragma)
	check(t, err)
	defer rows.Close()
	columns, err := rows.Columns()
	check(t, err)
	var list []string
	for rows.Next() {
		values := make([]any, len(columns))
		for i := range values {
			values[i] = new(any)
		}
		check(t, rows.Scan(values...))
		line := ""
		for i, name := range columns {
			line += fmt.Sprintf("%s=%v ", name, *values[i].(*any))
		}
		list = append(list, line)
	}
	check(t, rows.Err())
	return list
}

// TestInventoryUnusable opens what is no inventory of ours.
func TestInventoryUnusable(t *testing.T) {
	t.Parallel()
	execute := func(statements string) func(t *testing.T, path string) {
		return func(t *testing.T, path string) {
			db, err := sql.Open("sqlite", "file:"+path)
			check(t, err)
			defer db.Close()
			_, err = db.Exec(statements)
			check(t, err)
		}
	}
	tests := []struct {
		name, says, hint string
		spoil            func(t *testing.T, path string)
	}{
		{"not a database", "not a database", "backup", func(t *testing.T, path string) {
			check(t, os.WriteFile(path, []byte(strings.Repeat("certificates\n", 1000)), 0o600))
		}},
		{"damaged pages", "malformed", "backup", func(t *testing.T, path string) {
			fillInventory(t, path, 200)
			f, err := os.OpenFile(path, os.O_WRONLY, 0)
			check(t, err)
			defer f.Close()
			info, err := f.Stat()
			check(t, err)
			for at := int64(4096); at < info.Size(); at += 4096 {
				_, err = f.WriteAt([]byte(strings.Repeat("\xa5", 2048)), at)
				check(t, err)
			}
		}},
		{"cut off", "malformed", "backup", func(t *testing.T, path string) {
			fillInventory(t, path, 200)
			check(t, os.Truncate(path, 8192))
		}},
		{"another program's", "another program", "move it away", execute("CREATE TABLE notes (text)")},
		{"cfssl's own", "another program", "move it away", execute("CREATE TABLE certificates (serial_number); CREATE TABLE goose_db_version (id)")},
		{"of our version, but without tables", "no such table", "move it away", execute("CREATE TABLE notes (text); PRAGMA user_version = 4")},
		{"newer", "newer pkictl", "newest", func(t *testing.T, path string) {
			fillInventory(t, path, 1)
			execute("PRAGMA user_version = 5")(t, path)
		}},
		{"directory", inventoryName, "--dir", func(t *testing.T, path string) { check(t, os.Mkdir(path, 0o700)) }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), inventoryName)
			test.spoil(t, path)
			before, _ := os.ReadFile(path)
			use := map[string]func() error{
				"read": func() error {
					inv, err := openInventory(path, false)
					if err != nil {
						return err
					}
					defer inv.Close()
					_, err = inv.List(context.Background(), Filter{})
					return err
				},
				"write": func() error {
					inv, err := openInventory(path, true)
					if err != nil {
						return err
					}
					defer inv.Close()
					if err := inv.Reserve(noon, record(t, "100", "jane")); err != nil {
						return err
					}
					_, err = inv.List(context.Background(), Filter{})
					return err
				},
			}
			for name, try := range use {
				err := try()
				if err == nil || !strings.Contains(err.Error(), test.says) || !strings.Contains(failure.HintOf(err), test.hint) {
					t.Errorf("%s: error %v, hint %q; want %q, %q", name, err, failure.HintOf(err), test.says, test.hint)
				}
				if err != nil && strings.Contains(err.Error(), "\n") {
					t.Errorf("%s: more than a line: %v", name, err)
				}
			}
			if after, _ := os.ReadFile(path); string(after) != string(before) && !strings.Contains(test.says, "malformed") {
				t.Error("the file has changed")
			}
		})
	}
}

func fillInventory(t *testing.T, path string, rows int) {
	t.Helper()
	inv, err := openInventory(path, true)
	check(t, err)
	defer inv.Close()
	for i := range rows {
		inv.add(t, record(t, fmt.Sprint(i), "name"), noon)
	}
}

func TestInventoryNotThere(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := OpenInventory(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no inventory: %v", err)
	}
	if left := names(t, dir); len(left) > 0 {
		t.Errorf("reading made %q", left)
	}
	// As a command leaves it that was killed before its first row.
	check(t, os.WriteFile(filepath.Join(dir, inventoryName), nil, 0o600))
	if _, err := OpenInventory(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("empty inventory: %v", err)
	}
	inv, err := openInventory(filepath.Join(dir, inventoryName), true)
	check(t, err)
	defer inv.Close()
	inv.add(t, record(t, "1", "jane"), noon)
}

// TestInventoryHotJournal kills a process in the middle of a transaction which
// has already reached the database.
func TestInventoryHotJournal(t *testing.T) {
	t.Parallel()
	for _, write := range []bool{false, true} {
		inv, dir := newInventory(t)
		for _, serial := range []string{"1", "2"} {
			inv.add(t, record(t, serial, "jane"), noon)
		}
		check(t, inv.Close())
		before, err := os.ReadFile(filepath.Join(dir, inventoryName))
		check(t, err)
		_ = startChild(t, "write", dir).Wait()
		after, err := os.ReadFile(filepath.Join(dir, inventoryName))
		check(t, err)
		if len(after) <= len(before) {
			t.Fatal("nothing reached the database: there is no hot journal to test with")
		}
		inv, err = openInventory(filepath.Join(dir, inventoryName), write)
		check(t, err)
		if rows := serials(t, inv, Filter{CommonName: "jane"}); !slices.Equal(rows, []string{"1", "2"}) {
			t.Errorf("for writing %v: rows %q", write, rows)
		}
		if rows := serials(t, inv, Filter{}); len(rows) != 2 {
			t.Errorf("for writing %v: %d rows", write, len(rows))
		}
		if write {
			inv.add(t, record(t, "3", "jane"), noon)
		}
		check(t, inv.Close())
	}
}

// TestInventoryReadWhileWritten lists without pause while another connection
// writes: neither may fail, and no reader sees half a step.
func TestInventoryReadWhileWritten(t *testing.T) {
	t.Parallel()
	inv, dir := newInventory(t)
	inv.add(t, record(t, "0", "jane"), noon)
	check(t, inv.Close())
	stop := make(chan struct{})
	done := make(chan error, 1)
	written := 0 // read only after done
	go func() {
		done <- func() error {
			for ; ; written++ {
				select {
				case <-stop:
					return nil
				default:
				}
				inv, err := openInventory(filepath.Join(dir, inventoryName), true)
				if err != nil {
					return err
				}
				r := record(t, fmt.Sprint(1+written), "jane")
				err = errors.Join(inv.Reserve(noon, r), inv.Record(Signed{Serial: r.Serial, AKI: r.AKI, PEM: "PEM", Expiry: noon}), inv.Close())
				if err != nil {
					return err
				}
				time.Sleep(time.Millisecond) // the next process takes longer to start
			}
		}()
	}()
	read := func() int {
		inv, err := OpenInventory(dir)
		check(t, err)
		found := len(serials(t, inv, Filter{}))
		check(t, inv.Close())
		return found
	}
	last := 0
	for range 10 { // each waits for a gap between two writers, and gets one
		found := read()
		if found < last {
			t.Fatalf("%d rows, after %d", found, last)
		}
		last = found
	}
	close(stop)
	check(t, <-done)
	if found := read(); found != written+1 {
		t.Errorf("%d rows, want %d", found, written+1)
	}
}

func TestInventoryModes(t *testing.T) {
	t.Parallel()
	inv, dir := newInventory(t)
	inv.add(t, record(t, "1", "jane"), noon)
	entries, err := os.ReadDir(dir)
	check(t, err)
	for _, entry := range entries { // the database and its journal
		if info, err := entry.Info(); err != nil || info.Mode() != 0o600 {
			t.Errorf("%s has mode %v (%v)", entry.Name(), info.Mode(), err)
		}
	}
	if len(entries) != 2 {
		t.Errorf("%d files", len(entries))
	}
}
