package store

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// progress is how far a Commit came before it died.
type progress struct {
	listed  bool // files.json is whole
	staged  int  // files written, with their names beside
	linked  int  // files that are links to the switch
	next    bool // the switch was about to be turned
	flipped bool
	placed  int // files that are plain again
	cleared int // new files that are no longer staged; more: the switch is gone, too
}

// everyProgress lists them in order.
func everyProgress() []progress {
	list := []progress{{}}
	at := progress{listed: true}
	add := func(change func()) {
		change()
		list = append(list, at)
	}
	add(func() {})
	for range 3 {
		add(func() { at.staged++ })
	}
	for range 3 {
		add(func() { at.linked++ })
	}
	add(func() { at.next = true })
	add(func() { at.flipped = true })
	for range 3 {
		add(func() { at.placed++ })
	}
	for range 4 {
		add(func() { at.cleared++ })
	}
	return list
}

// die brings a Commit of generation new as far as that.
func (p place) die(at progress) {
	p.t.Helper()
	c := p.commit()
	part := *c
	part.Paths = c.Paths[:at.staged]
	check(p.t, part.stageAll(p.files("new")[:at.staged]))
	manifest, err := c.manifest()
	check(p.t, err)
	if !at.listed {
		manifest = manifest[:len(manifest)/2]
	}
	check(p.t, os.WriteFile(filepath.Join(c.staging, manifestName), manifest, 0o600))
	if part.Paths = c.Paths[:at.linked]; at.linked > 0 {
		check(p.t, part.linkOld())
	}
	if at.next && !at.flipped {
		check(p.t, os.Symlink("new", filepath.Join(c.staging, "next")))
	}
	if at.flipped {
		check(p.t, c.flip())
	}
	for i := range at.placed {
		check(p.t, os.Rename(c.beside(i), c.Paths[i]))
	}
	for i := range min(at.cleared, 3) {
		check(p.t, os.Remove(c.new(i)))
	}
	if at.cleared > 3 {
		for _, path := range c.staged() {
			check(p.t, os.Remove(path))
		}
		check(p.t, os.Remove(filepath.Join(c.staging, switchName)))
	}
}

// TestCommitDiesAnywhere lets a Commit die after every step: what readers find,
// before anybody takes the lock and after, is all old or all new.
func TestCommitDiesAnywhere(t *testing.T) {
	t.Parallel()
	old := map[string][3]bool{
		"all are replaced": {true, true, true}, "none was there": {}, "one is new": {true, true, false},
		"one was there": {false, false, true},
	}
	for name, has := range old {
		for _, elsewhere := range otherFileSystem(t) {
			t.Run(fmt.Sprintf("%s, %s", name, elsewhere.name), func(t *testing.T) {
				t.Parallel()
				for _, at := range everyProgress() {
					p := newPlace(t, elsewhere.dir(t))
					p.write("old", has)
					p.checkDeath(at, has != [3]bool{})
				}
			})
		}
	}
}

func (p place) checkDeath(at progress, hadFiles bool) {
	p.t.Helper()
	before := p.read()
	dir := p.lock()
	p.die(at)
	dir.Unlock() // as the kernel does
	want := before
	if at.flipped {
		want = []string{"new"}
	}
	// Where there was no file they come one by one.
	seen := p.read()
	if hadFiles && !same(seen, want...) || !hadFiles && !same(seen[:at.placed], "new") {
		p.t.Errorf("%+v: readers see %q", at, seen)
	}
	check(p.t, Recover(context.Background(), p.pki, nil))
	if got := p.read(); !same(got, want...) {
		p.t.Errorf("%+v: recovery makes %q", at, got)
	}
	p.checkTidy()
	dir = p.lock()
	defer dir.Unlock()
	if err := dir.Commit(p.files("next"), true, nil); err != nil {
		p.t.Errorf("%+v: the commit after: %v", at, err)
	}
	if got := p.read(); !same(got, "next") {
		p.t.Errorf("%+v: the commit after makes %q", at, got)
	}
}

type elsewhere struct {
	name string
	dir  func(t *testing.T) string
}

// otherFileSystem returns places for the third file: beside the PKI directory,
// and on another file system where there is one, to which no file can be linked.
func otherFileSystem(t *testing.T) []elsewhere {
	t.Helper()
	places := []elsewhere{{"same file system", func(*testing.T) string { return "" }}}
	probe, err := os.MkdirTemp("/dev/shm", "pkictl-test-")
	if err != nil {
		return places // not Linux
	}
	defer os.Remove(probe)
	from := filepath.Join(t.TempDir(), "from")
	check(t, os.WriteFile(from, nil, 0o600))
	if os.Link(from, filepath.Join(probe, "to")) == nil {
		check(t, os.Remove(filepath.Join(probe, "to")))
		return places // it is the same
	}
	return append(places, elsewhere{"another file system", func(t *testing.T) string {
		dir, err := os.MkdirTemp("/dev/shm", "pkictl-test-")
		check(t, err)
		t.Cleanup(func() { _ = os.RemoveAll(dir) })
		return dir
	}})
}

// TestRecoverAfterMove moves the PKI directory between the crash and the next
// run: the links of the crash and the list of files must not point to where it
// was.
func TestRecoverAfterMove(t *testing.T) {
	t.Parallel()
	for _, isFlipped := range []bool{false, true} {
		p := newPlace(t, "")
		p.write("old", [3]bool{true, true, true})
		dir := p.lock()
		c := p.commit()
		check(t, c.stageAll(p.files("new")))
		check(t, c.linkOld())
		want := "old"
		if isFlipped {
			check(t, c.flip())
			want = "new"
		}
		dir.Unlock()
		moved := p.pki + "-moved"
		check(t, os.Rename(p.pki, moved))
		p.pki = moved
		p.paths[0], p.paths[1] = filepath.Join(moved, "jane.key"), filepath.Join(moved, "jane.crt")
		if got := p.read(); !same(got[:2], want) {
			t.Errorf("flipped %v: moved files are %q", isFlipped, got)
		}
		p.lock().Unlock()
		if got := p.read(); !same(got, want) {
			t.Errorf("flipped %v: recovered files are %q", isFlipped, got)
		}
		p.checkTidy()
	}
}

// TestRecoverWithoutNameBeside is a power cut after which the directory of the
// files has lost what the staging directory kept.
func TestRecoverWithoutNameBeside(t *testing.T) {
	t.Parallel()
	for _, has := range [][3]bool{{}, {true, true, true}} {
		p := newPlace(t, "")
		p.write("old", has)
		dir := p.lock()
		c := p.commit()
		check(t, c.stageAll(p.files("new")))
		check(t, c.linkOld())
		check(t, c.flip())
		for i := range c.Paths {
			check(t, os.Remove(c.beside(i)))
		}
		dir.Unlock()
		p.lock().Unlock()
		if got := p.read(); !same(got, "new") {
			t.Errorf("%v: recovered files are %q", has, got)
		}
		p.checkTidy()
	}
}

// TestRecoverAfterRemoval removes a directory of the files after the crash.
func TestRecoverAfterRemoval(t *testing.T) {
	t.Parallel()
	for _, at := range everyProgress() {
		p := newPlace(t, "")
		p.write("old", [3]bool{true, true, true})
		dir := p.lock()
		p.die(at)
		dir.Unlock()
		check(t, os.RemoveAll(filepath.Dir(p.paths[2])))
		if err := Recover(context.Background(), p.pki, nil); err != nil {
			t.Errorf("%+v: %v", at, err)
		}
		want := "old"
		if at.flipped {
			want = "new"
		}
		if got := p.read(); !same(got[:2], want) || got[2] != "" {
			t.Errorf("%+v: recovery makes %q", at, got)
		}
		check(t, os.Mkdir(filepath.Dir(p.paths[2]), 0o700))
		p.checkTidy()
	}
}

// TestRecoverKeepsOthers checks that completing an old change does not touch
// what was put in its place since.
func TestRecoverKeepsOthers(t *testing.T) {
	t.Parallel()
	p := newPlace(t, "")
	p.write("old", [3]bool{true, true, true})
	dir := p.lock()
	c := p.commit()
	check(t, c.stageAll(p.files("new")))
	check(t, c.linkOld())
	check(t, c.flip())
	for i, path := range c.Paths {
		check(t, os.Rename(c.beside(i), path))
	}
	dir.Unlock()
	for _, path := range p.paths {
		check(t, os.Remove(path))
	}
	p.write("mine", [3]bool{true, true, true})
	p.lock().Unlock()
	if got := p.read(); !same(got, "mine") {
		t.Errorf("files are %q", got)
	}
	p.checkTidy()
}

// TestRecoverBadList has a list of files that a power cut left in any state.
func TestRecoverBadList(t *testing.T) {
	t.Parallel()
	for _, list := range []string{"", "{", "null", `[]`, `{"id":"X"}`, `{"id":"X","paths":[7]}`, "\x00\x00\x00"} {
		p := newPlace(t, "")
		p.write("old", [3]bool{true, true, true})
		staging := filepath.Join(p.pki, stagingName)
		check(t, os.MkdirAll(filepath.Join(staging, "new"), 0o700))
		check(t, os.WriteFile(filepath.Join(staging, "new", "0"), nil, 0o600))
		check(t, os.WriteFile(filepath.Join(staging, manifestName), []byte(list), 0o600))
		check(t, Recover(context.Background(), p.pki, nil))
		p.checkTidy()
		dir := p.lock()
		if err := dir.Commit(p.files("new"), true, nil); err != nil {
			t.Errorf("%q: %v", list, err)
		}
		dir.Unlock()
		if got := p.read(); !same(got, "new") {
			t.Errorf("%q: files are %q", list, got)
		}
	}
}

// TestRecoverRows: the row of a certificate says good if, and only if, its file
// was published, wherever the Commit died after the row was written.
func TestRecoverRows(t *testing.T) {
	t.Parallel()
	for _, has := range [][3]bool{{}, {true, true, true}} {
		for _, at := range everyProgress() {
			if at.staged == 0 {
				continue // the row comes after the first file
			}
			p := newPlace(t, "")
			p.write("old", has)
			dir := p.lock()
			inv, err := dir.Inventory()
			check(t, err)
			check(t, inv.Reserve(noon, record(t, "1", "before"), record(t, "2", "jane")))
			check(t, inv.Record(Signed{Serial: "1", AKI: "aki", PEM: "PEM", Expiry: noon}, Signed{Serial: "2", AKI: "aki", PEM: "PEM", Expiry: noon}))
			check(t, inv.Close())
			p.rows = [][2]string{{"2", "aki"}}
			p.die(at)
			dir.Unlock()
			p.lock().Unlock()
			inv, err = OpenInventory(p.pki)
			check(t, err)
			rows, err := inv.List(context.Background(), Filter{WithPEM: true})
			check(t, err)
			check(t, inv.Close())
			want := StatusReserved
			if at.flipped {
				want = StatusGood
			}
			for _, row := range rows {
				if isOther := row.Serial == "1"; isOther && row.Status != StatusGood || !isOther && (row.Status != want || (row.PEM == "") != (want == StatusReserved)) {
					t.Errorf("%v %+v: serial %s is %s", has, at, row.Serial, row.Status)
				}
			}
		}
	}
}
