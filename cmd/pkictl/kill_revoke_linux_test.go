package main_test

import (
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"testing"

	"github.com/pkictl/pkictl/ca"
)

// killEverywhere kills a command before every one of its system calls that
// change anything, in a directory of its own each time, and has the rest
// checked. It returns how many there were.
func killEverywhere(t *testing.T, prepare func(dir string), args []string, check func(what, dir string)) int {
	t.Helper()
	for n := 1; ; n++ {
		dir := t.TempDir()
		prepare(dir)
		if _, reached := breakAt(t, program(dir, args...), n, killed); !reached {
			return n - 1
		}
		check(fmt.Sprintf("killed at %d", n), dir)
		ok(t, os.RemoveAll(dir))
	}
}

// TestKillRevoke: a certificate is revoked, with reason and time, or it is not.
func TestKillRevoke(t *testing.T) {
	t.Parallel()
	states := map[string]int{}
	revoke := in("revoke", "jane", "--reason", "superseded", "--yes", "-q")
	n := killEverywhere(t, func(dir string) {
		do(t, dir, "init-ca")
		do(t, dir, "issue", "--cn", "jane", "-q")
	}, revoke, func(what, dir string) {
		entry := stateOf(t, dir, "jane")
		states[entry.State]++
		if (entry.State == "revoked") != (entry.Reason == "superseded") || (entry.State == "revoked") != (entry.RevokedAt != "") {
			t.Errorf("%s: %+v", what, entry)
		}
		do(t, dir, revoke...)
		checkRecovered(t, what, dir)
		if entry := stateOf(t, dir, "jane"); entry.State != "revoked" || entry.Reason != "superseded" {
			t.Errorf("%s: at the end: %+v", what, entry)
		}
		do(t, dir, "issue", "--cn", "last", "-q")
	})
	if n < 10 || states["valid"] < 3 || states["revoked"] < 1 || len(states) != 2 {
		t.Errorf("killed at %d system calls: %v", n, states)
	}
}

// TestKillCRL: the list is the old one or the new one, and no number comes
// twice, wherever the command dies and whatever becomes of the list.
func TestKillCRL(t *testing.T) {
	t.Parallel()
	kept, replaced, skipped := 0, 0, 0
	n := killEverywhere(t, func(dir string) {
		do(t, dir, "init-ca")
		do(t, dir, "issue", "--cn", "jane", "-q")
		do(t, dir, "crl", "-q")
		do(t, dir, "revoke", "jane", "--yes", "-q")
	}, in("crl", "-q"), func(what, dir string) {
		path := filepath.Join(dir, "pki", "ca.crl")
		list, err := ca.ReadCRL(path)
		ok(t, err)
		switch entries := len(list.List.RevokedCertificateEntries); {
		case list.List.Number.Cmp(big.NewInt(1)) == 0 && entries == 0:
			kept++
		case list.List.Number.Cmp(big.NewInt(2)) == 0 && entries == 1:
			replaced++
		default:
			t.Errorf("%s: number %v with %d entries", what, list.List.Number, entries)
		}
		do(t, dir, "crl", "-q")
		checkRecovered(t, what, dir)
		next, err := ca.ReadCRL(path)
		ok(t, err)
		if next.List.Number.Cmp(list.List.Number) <= 0 || len(next.List.RevokedCertificateEntries) != 1 {
			t.Errorf("%s: number %v after %v", what, next.List.Number, list.List.Number)
		}
		if new(big.Int).Sub(next.List.Number, list.List.Number).Cmp(big.NewInt(1)) > 0 {
			skipped++ // it was taken by the one that was killed
		}
	})
	if n < 30 || kept < 10 || replaced < 3 || skipped < 10 {
		t.Errorf("killed at %d system calls: %d times the old list, %d times the new; %d times a number was skipped", n, kept, replaced, skipped)
	}
}

// TestKillReplaced: whoever dies, the certificate that is in the files is the
// one which list --expiring counts.
func TestKillReplaced(t *testing.T) {
	t.Parallel()
	rows := map[int]int{}
	n := killEverywhere(t, func(dir string) {
		do(t, dir, "init-ca")
		do(t, dir, "issue", "--cn", "jane", "--validity", "8h", "-q")
	}, in("issue", "--cn", "jane", "--validity", "8h", "--force", "-q"), func(what, dir string) {
		do(t, dir, "crl", "-q") // completes or undoes it
		cert, err := ca.ReadCertificate(filepath.Join(dir, "pki", "jane.crt"))
		ok(t, err)
		items := list(t, dir).Items
		rows[len(items)]++
		for _, item := range items {
			if item.Serial == ca.FormatSerial(cert.SerialNumber) && item.State != "valid" {
				t.Errorf("%s: the one in the files is %s", what, item.State)
			}
		}
	})
	if n < 40 || len(rows) != 2 {
		t.Errorf("killed at %d system calls: %v", n, rows)
	}
}

func stateOf(t *testing.T, dir, name string) listedItem {
	t.Helper()
	for _, item := range list(t, dir).Items {
		if item.Name == name {
			return item
		}
	}
	t.Fatalf("%s is not listed", name)
	return listedItem{}
}
