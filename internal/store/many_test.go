package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cloudflare/cfssl/certdb"

	"github.com/pkictl/pkictl/internal/failure"
)

// TestInventoryMany: many rows change all or not at all.
func TestInventoryMany(t *testing.T) {
	t.Parallel()
	inv, _ := newInventory(t)
	const many = 1000
	var records []certdb.CertificateRecord
	var signed []Signed
	for i := range many {
		r := record(t, fmt.Sprint(i+1), fmt.Sprint("user-", i))
		records = append(records, r)
		signed = append(signed, Signed{Serial: r.Serial, AKI: r.AKI, PEM: "PEM of " + r.Serial, Expiry: noon})
	}
	states := func() map[string]int {
		rows, err := inv.List(context.Background(), Filter{})
		check(t, err)
		count := map[string]int{}
		for _, row := range rows {
			count[row.Status]++
		}
		return count
	}
	// One serial that is there already keeps all the others out.
	check(t, inv.Reserve(noon, records[many-1]))
	if err := inv.Reserve(noon, records...); err == nil || states()[StatusReserved] != 1 {
		t.Fatalf("%v, and %v", err, states())
	}
	check(t, inv.Forget(records[many-1]))
	check(t, inv.Reserve(noon, records...))
	// One that is not reserved keeps all from being recorded.
	if err := inv.Record(append(slices.Clone(signed), Signed{Serial: "0", AKI: "aki", PEM: "x", Expiry: noon})...); err == nil {
		t.Error("a serial that was not reserved was recorded")
	}
	if got := states(); got[StatusReserved] != many || got[StatusGood] != 0 {
		t.Errorf("after that: %v", got)
	}
	check(t, inv.Record(signed...))
	if got := states(); got[StatusGood] != many {
		t.Errorf("recorded: %v", got)
	}
	if err := inv.Record(signed[0]); err == nil {
		t.Error("a row was recorded twice")
	}
	check(t, inv.Forget(records[:many/2]...))
	if got := states(); got[StatusGood] != many/2 {
		t.Errorf("half was forgotten: %v", got)
	}
}

// TestCommitMany commits more files than are synced at once: all or none.
func TestCommitMany(t *testing.T) {
	t.Parallel()
	pki := t.TempDir()
	dir, err := Lock(context.Background(), pki, nil)
	check(t, err)
	defer dir.Unlock()
	const many = 20 * syncers
	files := func(text string) []File {
		var list []File
		for i := range many {
			list = append(list, File{Path: filepath.Join(pki, fmt.Sprint(i)), Data: fmt.Appendf(nil, "%s %d", text, i), Mode: 0o600})
		}
		return list
	}
	count := func(text string) int {
		n := 0
		for _, f := range files(text) {
			if data, err := os.ReadFile(f.Path); err == nil && string(data) == string(f.Data) {
				n++
			}
		}
		return n
	}
	failed := errors.New("no")
	if err := dir.Commit(files("one"), false, func() error { return failed }); !errors.Is(err, failed) || count("one") != 0 {
		t.Fatalf("%v, and %d files", err, count("one"))
	}
	check(t, dir.Commit(files("one"), false, nil))
	var exists *ExistsError
	if err := dir.Commit(files("two"), false, nil); !errors.As(err, &exists) || count("one") != many {
		t.Errorf("%v, and %d files", err, count("one"))
	}
	if err := dir.Commit(files("two"), true, func() error { return failed }); !errors.Is(err, failed) || count("one") != many {
		t.Errorf("%v, and %d files", err, count("one"))
	}
	check(t, dir.Commit(files("two"), true, nil))
	if count("two") != many {
		t.Errorf("%d files", count("two"))
	}
}

// TestSyncAll closes all files, and returns what went wrong with any.
func TestSyncAll(t *testing.T) {
	t.Parallel()
	var files []*os.File
	for i := range 5 * syncers {
		f, err := create(filepath.Join(t.TempDir(), fmt.Sprint(i)), []byte("x"), 0o600)
		check(t, err)
		files = append(files, f)
	}
	check(t, files[syncers+3].Close())
	if err := syncAll(files...); !errors.Is(err, os.ErrClosed) {
		t.Errorf("one was closed: %v", err)
	}
	for i, f := range files {
		if err := f.Close(); !errors.Is(err, os.ErrClosed) {
			t.Errorf("file %d was left open: %v", i, err)
		}
	}
}

// TestKeep: what is replaced with Keep has the mode that it had, but never lets
// others read a key, nor anybody but its owner write.
func TestKeep(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ had, asked, want os.FileMode }{
		{0o600, 0o600, 0o600}, {0o640, 0o600, 0o640}, {0o400, 0o600, 0o400}, {0o666, 0o600, 0o640}, {0o777, 0o600, 0o640},
		{0o644, 0o644, 0o644}, {0o600, 0o644, 0o600}, {0o666, 0o644, 0o644},
	} {
		pki := t.TempDir()
		dir, err := Lock(context.Background(), pki, nil)
		check(t, err)
		path := filepath.Join(pki, "x")
		check(t, os.WriteFile(path, []byte("old"), 0o600))
		check(t, os.Chmod(path, test.had))
		check(t, dir.Commit([]File{{Path: path, Data: []byte("new"), Mode: test.asked, Keep: true}}, true, nil))
		info, err := os.Stat(path)
		check(t, err)
		if info.Mode().Perm() != test.want {
			t.Errorf("%o, asked for %o, became %o, want %o", test.had, test.asked, info.Mode().Perm(), test.want)
		}
		check(t, dir.Commit([]File{{Path: path, Data: []byte("newer"), Mode: test.asked}}, true, nil))
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != test.asked {
			t.Errorf("without Keep: %v (%v)", info.Mode(), err)
		}
		check(t, dir.Commit([]File{{Path: path + "new", Data: []byte("x"), Mode: test.asked, Keep: true}}, true, nil))
		if info, err := os.Stat(path + "new"); err != nil || info.Mode().Perm() != test.asked {
			t.Errorf("a new file: %v (%v)", info.Mode(), err)
		}
		dir.Unlock()
	}
}

// TestCheckTargets says no to what Commit would not write.
func TestCheckTargets(t *testing.T) {
	t.Parallel()
	pki := t.TempDir()
	check(t, os.WriteFile(filepath.Join(pki, "there"), nil, 0o600))
	check(t, os.Symlink("there", filepath.Join(pki, "link")))
	long := fmt.Sprintf("%0240d", 1)
	for path, want := range map[string][2]bool{ // whether it may be written, with and without replace
		"new": {true, true}, "there": {true, false}, "link": {false, false}, "none/new": {false, false}, "there/new": {false, false}, long: {false, false},
	} {
		for i, replace := range []bool{true, false} {
			err := CheckTargets(replace, filepath.Join(pki, path))
			var exists *ExistsError
			if (err == nil) != want[i] || (err != nil && !errors.As(err, &exists) && failure.HintOf(err) == "") {
				t.Errorf("%.20s, replace %v: %v (%q)", path, replace, err, failure.HintOf(err))
			}
		}
	}
}

// TestCheckTargetsDuringReplacement sees a file as the commit of another process
// has it for a moment: as a link into its staging.
func TestCheckTargetsDuringReplacement(t *testing.T) {
	t.Parallel()
	pki := t.TempDir()
	check(t, os.MkdirAll(filepath.Join(pki, stagingName, "old"), 0o700))
	check(t, os.Symlink("old", filepath.Join(pki, stagingName, switchName)))
	path := filepath.Join(pki, "jane.key")
	check(t, os.Symlink(filepath.Join(stagingName, switchName, "0"), path))
	if err := CheckTargets(true, path); err != nil {
		t.Errorf("to replace it: %v", err)
	}
	var exists *ExistsError
	if err := CheckTargets(false, path); !errors.As(err, &exists) {
		t.Errorf("to make it: %v", err)
	}
	check(t, os.Remove(path))
	check(t, os.Symlink("elsewhere", path))
	if err := CheckTargets(true, path); err == nil || !strings.Contains(err.Error(), "symbolic link") {
		t.Errorf("a link of somebody else's: %v", err)
	}
}
