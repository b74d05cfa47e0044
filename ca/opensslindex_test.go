package ca

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pkictl/pkictl/internal/failure"
)

const goodIndex = "V\t290223032231Z\t\t598ED4AFDF39C84CFA4CB333E27A147C\tunknown\t/CN=web\n" +
	"R\t290223032231Z\t261121032231Z,superseded\tA6\tunknown\t/O=dev/CN=jane\n" +
	"R\t20500223032231Z\t261121032231Z\t01\tunknown\t/CN=a\\\tb\n" +
	"\n# a comment\n" +
	"R\t290223032231Z\t261121032231Z,keyTime,20261101000000Z\t0A\tnewcerts/0A.pem\t/CN=joe/emailAddress=joe@x\r\n" +
	"E\t500101000000Z\t\t00\tunknown\t/O=no name\n"

func TestIndex(t *testing.T) {
	t.Parallel()
	rows, err := parseIndex(strings.NewReader(goodIndex), "index.txt")
	if err != nil {
		t.Fatal(err)
	}
	want := []struct {
		status, serial, expires, revoked, name string
		reason                                 int
	}{
		{"V", "598ed4afdf39c84cfa4cb333e27a147c", "2029-02-23T03:22:31Z", "", "", 0},
		{"R", "a6", "2029-02-23T03:22:31Z", "2026-11-21T03:22:31Z", "jane", 4},
		{"R", "1", "2050-02-23T03:22:31Z", "2026-11-21T03:22:31Z", "a\tb", 0},
		{"R", "a", "2029-02-23T03:22:31Z", "2026-11-21T03:22:31Z", "joe", 1},
		{"E", "0", "1950-01-01T00:00:00Z", "", "", 0},
	}
	if len(rows) != len(want) {
		t.Fatalf("%d rows, want %d", len(rows), len(want))
	}
	for i, w := range want {
		row := rows[i]
		revoked := ""
		if !row.revokedAt.IsZero() {
			revoked = row.revokedAt.Format(time.RFC3339)
		}
		if row.status != w.status || row.serial.Text(16) != w.serial || row.expires.Format(time.RFC3339) != w.expires ||
			revoked != w.revoked || row.reason != w.reason || row.name != w.name {
			t.Errorf("row %d: %+v, serial %x", i, row, row.serial)
		}
	}
}

func TestDamagedIndex(t *testing.T) {
	t.Parallel()
	const good = "V\t290223032231Z\t\t01\tunknown\t/CN=web\n"
	for _, test := range []struct{ line, says string }{
		{"V", "1 fields"},
		{"V 290223032231Z  01 unknown /CN=web", "1 fields"},
		{"V\t290223032231Z\t\t01\tunknown", "5 fields"},
		{"V\t290223032231Z\t\t01\tunknown\t/CN=web\tmore", "7 fields"},
		{"X\t290223032231Z\t\t01\tunknown\t/CN=web", `"X"`},
		{"V\t290223032231\t\t01\tunknown\t/CN=web", "not a time"},
		{"V\t291323032231Z\t\t01\tunknown\t/CN=web", "not a time"},
		{"V\t\t\t01\tunknown\t/CN=web", "not a time"},
		{"R\t290223032231Z\t\t01\tunknown\t/CN=web", "not a time"},
		{"R\t290223032231Z\t261121032231Z,because\t01\tunknown\t/CN=web", `"because"`},
		{"V\t290223032231Z\t261121032231Z\t01\tunknown\t/CN=web", "revoked and not revoked"},
		{"V\t290223032231Z\t\txyz\tunknown\t/CN=web", "not a serial number"},
		{"V\t290223032231Z\t\t\tunknown\t/CN=web", "not a serial number"},
		{"V\t290223032231Z\t\t" + strings.Repeat("1", 100) + "\tunknown\t/CN=web", "not a serial number"},
		{"V\t290223032231Z\t\t01\tunknown\t" + strings.Repeat("x", maxIndexLine), "token too long"},
		{strings.Repeat("\x00", 1000), "1 fields"},
	} {
		_, err := parseIndex(strings.NewReader(good+test.line+"\n"+good), "index.txt")
		if err == nil || !strings.Contains(err.Error(), `line 2 of "index.txt"`) || !strings.Contains(err.Error(), test.says) || failure.HintOf(err) == "" {
			t.Errorf("%.40q: %v (hint %q)", test.line, err, failure.HintOf(err))
		}
	}
	if _, err := parseIndex(strings.NewReader(strings.Repeat("\n", maxIndexLines+1)), "index.txt"); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("endless: %v", err)
	}
	long := good[:len(good)-1] + strings.Repeat("x", maxIndexLine/2) + "\n"
	if _, err := parseIndex(strings.NewReader(strings.Repeat(long, maxIndex/len(long)+1)), "index.txt"); err == nil || !strings.Contains(err.Error(), "larger than 64 MiB") || failure.HintOf(err) == "" {
		t.Errorf("large: %v", err)
	}
	if name := commonNameIn("/O=no name"); name != "/O=no name" {
		t.Errorf("without a common name: %q", name)
	}
	if _, err := readIndex(filepath.Join(t.TempDir(), "none")); err == nil || failure.HintOf(err) == "" {
		t.Errorf("none: %v", err)
	}
	path := filepath.Join(t.TempDir(), "index.txt")
	if err := os.WriteFile(path, []byte(good), 0o600); err != nil {
		t.Fatal(err)
	}
	if rows, err := readIndex(path); err != nil || len(rows) != 1 {
		t.Errorf("%v, %v", rows, err)
	}
}

// FuzzIndex: whatever the bytes, parseIndex returns rows that can be recorded,
// or an error that names a line.
func FuzzIndex(f *testing.F) {
	f.Add(goodIndex)
	for line := range strings.Lines(goodIndex) {
		f.Add(line)
	}
	f.Add("R\t290223032231Z\t261121032231Z,holdInstruction,1.2.3\t-1\tunknown\t\\\n")
	f.Fuzz(func(t *testing.T, text string) {
		rows, err := parseIndex(strings.NewReader(text), "index.txt")
		if err != nil {
			if !strings.Contains(err.Error(), `of "index.txt"`) || failure.HintOf(err) == "" || rows != nil {
				t.Errorf("%v, %d rows", err, len(rows))
			}
			return
		}
		for _, row := range rows {
			if row.serial == nil || row.expires.IsZero() || (row.status == indexRevoked) == row.revokedAt.IsZero() || row.reason < 0 || row.reason > 10 {
				t.Errorf("%+v", row)
			}
			if row.status != indexRevoked && row.name != "" {
				t.Errorf("%+v", row)
			}
		}
	})
}
