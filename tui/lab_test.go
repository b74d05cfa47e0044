package tui

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/lab"
)

const (
	labTestID    = "cluster-ca"
	labTestOther = "key-and-csr"
)

// A lab from the catalogue to the last check, and to the next lab.
func TestLabPasses(t *testing.T) {
	t.Parallel()
	dir, clock := labTestDir(t), newLabTestClock()
	d := driveLabs(t, dir, clock)
	d.wantScreen("0 of ", "○ new      The CA of a cluster")

	s := d.choose(labTestID)
	d.wantScreen("enter makes a directory", "KUBERNETES-CA")
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Fatalf("a lab that was looked at has made something: %v", err)
	}
	d.keys("enter")
	d.until("it was checked", func() bool { return s.result != nil })
	d.wantScreen("~ started  0 of 10 points", "cd "+filepath.Join(dir, labTestID), "again as soon as files change")

	l := labTestNamed(t, labTestID)
	labTestSolve(t, l, s.space.Dir)
	labTestRun(t, s.space.Dir, labTestMutant(t, l, "no-crl"))
	clock.goOn(3 * time.Second)
	d.handle(labTickMsg{s, s.ticks})
	d.until("the files were seen", func() bool { return s.result.Points > 0 && !s.checking })
	d.wantScreen("8 of 10 points", "✓1. ")
	d.keys("tab")
	d.wantScreen("✗ pki/ca.crt may sign certificates and revocation lists", "✓ pki/ca.crt was made with pki/ca.key", "Checks 6/7")
	if strings.Contains(d.screen(), "wanted") {
		t.Error("what was wanted is shown before it was asked for")
	}
	d.keys("down", "down", "down", "down", "down", "enter")
	d.wantScreen("› ✗ pki/ca.crt may sign", "wanted  key usage", "found   key usage")

	labTestSolve(t, l, s.space.Dir)
	d.handle(labTickMsg{s, s.ticks})
	d.until("it has passed", func() bool { return s.passed() && s.saving == 0 })
	d.wantScreen("✓ passed  10 of 10 points", "all 7 checks pass, 10 points, in 00:03", "n goes on to the next lab")
	p := labTestProgress(t, dir, labTestID)
	if p.Points != 10 || p.PassedAt.IsZero() || p.Spent != 3*time.Second {
		t.Errorf("kept is %+v", p)
	}
	next := s.next
	d.keys("n")
	d.until("the next lab is open", func() bool { n, ok := d.root.top().(*labScreen); return ok && n.lab.ID == next.ID })
	d.back()
	d.wantScreen("✓ passed   The CA of a cluster", "10/10", "1 of ")
}

// The clock counts while the lab is on top and not passed; a machine that slept was
// not working. The time is saved on every way out, and goes on from there.
func TestLabTime(t *testing.T) {
	t.Parallel()
	dir, clock := labTestDir(t), newLabTestClock()
	d := driveLabs(t, dir, clock)
	s := d.open()
	tick := func() tea.Cmd { _, cmd := s.Update(labTickMsg{s, s.ticks}); return cmd }
	for range 4 {
		clock.goOn(time.Second)
		d.start(tick())
	}
	clock.goOn(8 * time.Hour)
	d.start(tick())
	if got := s.elapsed(); got != 4*time.Second+labMaxStep {
		t.Errorf("%s have elapsed", got)
	}
	d.back()
	if p := labTestProgress(t, dir, labTestID); p.Spent != 9*time.Second {
		t.Errorf("left with %s", p.Spent)
	}
	if _, cmd := d.root.Update(labTickMsg{s, s.ticks}); cmd != nil {
		if batch, ok := cmd().(tea.BatchMsg); ok && len(batch) > 0 {
			t.Error("a screen that was left goes on with its clock")
		}
	}

	s = d.open()
	d.wantScreen("00:09 of 7 min")
	clock.goOn(time.Second)
	d.start(tick())
	d.keys("ctrl+c")
	d.until("the time is saved", func() bool { return !s.isBusy() })
	if p := labTestProgress(t, dir, labTestID); p.Spent != 10*time.Second {
		t.Errorf("the program ended with %s", p.Spent)
	}
}

// What nobody looks at does not work.
func TestLabStopsWhenCovered(t *testing.T) {
	t.Parallel()
	d := driveLabs(t, labTestDir(t), newLabTestClock())
	s := d.open()
	d.keys("s")
	d.wantScreen("Give up and show the solution?")
	d.keys("enter")
	if s.question != nil || s.progress.GaveUp {
		t.Fatal("enter has given up")
	}
	d.keys("s", "y")
	d.until("the solution is there", func() bool { _, ok := d.root.top().(*labSolutionScreen); return ok })
	before := s.ticks
	if _, cmd := s.Update(labTickMsg{s, before}); cmd != nil {
		t.Error("the clock goes on below another screen")
	}
	if _, cmd := s.Update(labSeenMsg{s, "other files"}); cmd != nil {
		t.Error("a check begins below another screen")
	}
	d.keys("esc")
	d.until("the lab is on top", func() bool { return d.root.top() == screen(s) && !s.covered })
	if s.ticks == before {
		t.Error("the clock does not go on")
	}
	if _, cmd := s.Update(labTickMsg{s, before}); cmd != nil {
		t.Error("there are two clocks")
	}
}

func TestLabHintsSolutionReset(t *testing.T) {
	t.Parallel()
	dir := labTestDir(t)
	d := driveLabs(t, dir, newLabTestClock())
	l := labTestNamed(t, labTestID)
	s := d.open()
	d.keys("h", "h")
	d.wantScreen("Hint 1 of 3", "Hint 2 of 3")
	d.until("hints are saved", func() bool { return s.saving == 0 })
	if p := labTestProgress(t, dir, labTestID); p.Hints != 2 || p.GaveUp {
		t.Errorf("kept is %+v", p)
	}
	d.keys("h", "h")
	d.wantScreen("These are all hints")

	d.keys("s", "y")
	d.wantScreen("With the usual tools", "openssl genpkey", "With pkictl")
	d.keys("tab")
	d.wantScreen("pkictl init-ca")
	d.keys("esc")
	d.until("it is saved", func() bool { return d.root.top() == screen(s) && s.saving == 0 })
	if p := labTestProgress(t, dir, labTestID); !p.GaveUp || p.Hints != 3 {
		t.Errorf("kept is %+v", p)
	}
	d.wantScreen("– given up")
	d.keys("s") // it is not asked twice
	d.until("the solution is there", func() bool { _, ok := d.root.top().(*labSolutionScreen); return ok })
	d.keys("esc")
	d.until("the lab is back", func() bool { return d.root.top() == screen(s) })

	labTestSolve(t, l, s.space.Dir)
	d.until("nothing is under way", func() bool { return !s.checking })
	d.keys("c")
	d.until("it has passed", func() bool { return s.passed() && !s.checking && s.saving == 0 })
	d.keys("r")
	d.wantScreen("Start the lab anew?", "before-reset")
	d.keys("n")
	if _, err := os.Stat(filepath.Join(s.space.Dir, "pki", "ca.crt")); err != nil {
		t.Fatalf("no has reset the lab: %v", err)
	}
	d.keys("r", "y")
	d.until("it is checked anew", func() bool { return s.doing == "" && s.result != nil && !s.passed() })
	if _, err := os.Stat(filepath.Join(s.space.Dir, "pki", "ca.crt")); !os.IsNotExist(err) {
		t.Errorf("the files are still there: %v", err)
	}
	if p := labTestProgress(t, dir, labTestID); p.Points != 10 {
		t.Errorf("the best result is lost: %+v", p)
	}
}

// The directory was deleted, or is not ours: the screen says so, and what goes on.
func TestLabDirectoryGone(t *testing.T) {
	t.Parallel()
	dir := labTestDir(t)
	d := driveLabs(t, dir, newLabTestClock())
	s := d.open()
	if err := os.RemoveAll(s.space.Dir); err != nil {
		t.Fatal(err)
	}
	d.keys("c")
	d.wantScreen("has no workspace")
	d.back()
	s = d.choose(labTestID)
	d.wantScreen("Its directory is gone")
	d.keys("enter")
	d.until("it was checked", func() bool { return s.result != nil && !s.checking })
	d.back()
	// A reset that was killed: enter ends it.
	mark := filepath.Join(s.LabDir, labTestID, ".pkictl-lab.json")
	data, err := os.ReadFile(mark)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(mark, bytes.Replace(data, []byte("{"), []byte(`{"unfinished": true, `), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	s = d.choose(labTestID)
	d.wantScreen("was never completed")
	d.keys("enter")
	d.until("it was checked", func() bool { return s.result != nil && !s.checking })
	if err := os.RemoveAll(s.space.Dir); err != nil {
		t.Fatal(err)
	}
	d.back()
	s = d.choose(labTestID)
	if err := os.WriteFile(s.LabDir+"/"+labTestID, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	d.keys("enter")
	d.wantScreen("is no directory")
	if data, err := os.ReadFile(s.LabDir + "/" + labTestID); err != nil || string(data) != "mine" {
		t.Errorf("a file of the learner has become %q, %v", data, err)
	}
}

func TestLabsFilter(t *testing.T) {
	t.Parallel()
	d := driveLabs(t, labTestDir(t), newLabTestClock())
	s := d.root.top().(*labsScreen)
	d.keys("h", "a", "r", "d", "e", "n", "i", "n", "g")
	for _, row := range s.rows {
		if row.lab != nil && row.lab.Domain != "cluster-hardening" && row.lab.Domain != "system-hardening" {
			t.Errorf("hardening finds %s", row.lab.ID)
		}
	}
	if s.selected().lab == nil {
		t.Error("the cursor is on no lab")
	}
	d.keys("q", "q", "q")
	d.wantScreen("No lab has that")
	d.keys("enter", "down", "up", "end", "pgdown")
	d.keys("esc")
	if s.filter != "" || len(s.rows) < 4 || d.root.top() != screen(s) {
		t.Errorf("esc leaves filter %q and %d rows", s.filter, len(s.rows))
	}
	d.keys("x") // a letter: the exam has another key
	if s.filter != "x" {
		t.Errorf("the filter is %q", s.filter)
	}
}

// A file of progress that cannot be read is said, and nothing is overwritten.
func TestLabsBrokenProgress(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "progress.json")
	if err := os.WriteFile(path, []byte("{half"), 0o600); err != nil {
		t.Fatal(err)
	}
	d := driveLabs(t, dir, newLabTestClock())
	d.wantScreen("The labs cannot be shown", "progress.json")
	d.keys("enter", "ctrl+x", "down")
	if data, err := os.ReadFile(path); err != nil || string(data) != "{half" {
		t.Errorf("the file has become %q, %v", data, err)
	}
}

// labHostile are texts as a learner's files may hold them.
func labHostile() []string {
	return []string{
		"\x1b[2J\x1b]0;title\x07\u202egnp.exe\u200b", strings.Repeat("W", 10_000), strings.Repeat("日", 5_000),
		"e" + strings.Repeat("\u0301", 8_000), strings.Repeat("a b ", 3_000), "\xff\xfe\x00", "👩‍👩‍👧‍👦" + strings.Repeat("🏳️‍🌈", 900), "",
	}
}

func TestLabFits(t *testing.T) {
	t.Parallel()
	clock := newLabTestClock()
	d := driveLabs(t, labTestDir(t), clock)
	s := d.open()
	l := *s.lab
	l.Title = labHostile()[0] + strings.Repeat("long ", 100)
	l.Scenario = strings.Join(labHostile(), "\n") + "\n\n    " + strings.Repeat("code ", 200)
	l.Tasks, l.Hints = labHostile(), labHostile()
	l.Solution.Tools = strings.Join(labHostile(), "\n")
	s.lab, s.next, s.progress.Hints = &l, &l, 99
	s.progress.Spent = 100 * time.Hour
	labTestFits(t, s)
	plain := l
	plain.Tasks, plain.Hints, plain.Scenario = l.Tasks[:1], nil, "short"
	s.lab = &plain
	for _, found := range labHostile() {
		for i := range 2 {
			s.result.Checks[i].Name, s.result.Checks[i].Found, s.result.Checks[i].Wanted = found, found, found
			s.expanded[i] = true
		}
		s.note = found
		for _, side := range []int{0, 1} {
			s.side = side
			labTestFits(t, s)
		}
		s.space.Dir = "/" + found
		s.reset()
		labTestFits(t, s)
		s.question = nil
	}
	s.lab, s.space = &l, nil
	labTestFits(t, s)
	labTestFits(t, newLabSolution(d.w, &l))
	labTestFits(t, newLab(d.w, &l))

	catalogue := &labsScreen{world: d.w}
	labTestFits(t, catalogue)
	catalogue.loaded = true
	catalogue.labsState = labsState{labs: []*lab.Lab{&l, s.lab}, progress: map[string]lab.Progress{l.ID: {Dir: labHostile()[0], Spent: time.Hour}},
		lacks: map[string]string{"cluster": labHostile()[1]}}
	l.Needs = []string{"cluster", "opa"}
	for _, filter := range []string{"", "c", "qqq"} {
		catalogue.setFilter(filter)
		labTestFits(t, catalogue)
	}
}

// labTestFits is checkFits, and that nothing reaches the terminal raw.
func labTestFits(t *testing.T, s screen) {
	t.Helper()
	checkFits(t, s)
	for _, raw := range []string{"\x1b[2J", "\x1b]0", "\u202e", "\u200b", "\x00", "\xff"} {
		if strings.Contains(s.View(100, 40), raw) {
			t.Errorf("%q is drawn raw", raw)
		}
	}
}

func TestLabWrap(t *testing.T) {
	t.Parallel()
	got := labWrap("one two\nthree\n\n    code stays   as it is\n- a list\n- of two and more words\n", 14)
	want := []string{"one two three", "", "    code ↩", "      stays ↩", "      as it ↩", "      is", "- a list", "- of two and", "more words"}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s", strings.Join(got, "\n"))
	}
}

// With all labs that there will be, the one that the cursor is on is always seen, with
// its domain where that is above it.
func TestLabsScroll(t *testing.T) {
	t.Parallel()
	s := newLabs(labTestWorld(t, t.TempDir(), newLabTestClock())).(*labsScreen)
	domains := lab.Domains()
	for i := range 31 {
		s.labs = append(s.labs, &lab.Lab{ID: fmt.Sprintf("lab-%02d", i), Title: fmt.Sprintf("Number %02d.", i), Domain: domains[i%len(domains)].ID})
	}
	s.loaded = true
	s.arrange()
	for _, key := range []string{"up", "down"} {
		for range 31 {
			s.key(labTestKey(key))
			drawn := ansi.Strip(s.View(60, 12))
			row := s.selected()
			switch {
			case row.lab != nil && !strings.Contains(drawn, row.lab.Title+" "):
				t.Fatalf("%s is not seen in\n%s", row.lab.Title, drawn)
			case row.isExam() && !strings.Contains(drawn, "› ○ Exam"):
				t.Fatalf("the exam is not seen in\n%s", drawn)
			}
			if row.lab != nil && s.rows[s.cursor-1].domain != nil && !strings.Contains(drawn, s.rows[s.cursor-1].domain.Title[:7]) {
				t.Fatalf("the domain of %s is not seen in\n%s", row.lab.Title, drawn)
			}
		}
	}
	if last := s.selected().lab; last != s.rows[len(s.rows)-1].lab {
		t.Errorf("down ends at %+v", last)
	}
	s.setFilter("number 30")
	if len(s.rows) != 2 || s.selected().lab.ID != "lab-30" {
		t.Errorf("number 30 finds %d rows", len(s.rows))
	}
	checkFits(t, s)
}

// Where progress cannot be kept that is said, once; nobody is held for it.
func TestLabSaveFails(t *testing.T) {
	t.Parallel()
	dir, clock := labTestDir(t), newLabTestClock()
	d := driveLabs(t, dir, clock)
	s := d.open()
	clock.goOn(2 * time.Second)
	d.handle(labTickMsg{s, s.ticks})
	path := filepath.Join(dir, "progress.json")
	if err := os.WriteFile(path, []byte("{half"), 0o600); err != nil {
		t.Fatal(err)
	}
	before := s.ticks
	d.keys("s", "y")
	d.wantScreen("✗ cannot read", "progress.json")
	if d.root.top() != screen(s) || s.covered || s.ticks == before {
		t.Error("the lab does not go on")
	}
	if s.elapsed() != 2*time.Second {
		t.Errorf("%s have elapsed", s.elapsed())
	}
	d.keys("esc")
	d.until("the catalogue is back", func() bool { _, ok := d.root.top().(*labsScreen); return ok })
	if data, err := os.ReadFile(path); err != nil || string(data) != "{half" {
		t.Errorf("the file has become %q, %v", data, err)
	}
}

// What a check finds that was cancelled counts no more.
func TestLabStaleCheck(t *testing.T) {
	t.Parallel()
	d := driveLabs(t, labTestDir(t), newLabTestClock())
	s := d.open()
	cmd := s.check()
	s.cancelCheck()
	if cmd == nil || s.checking {
		t.Fatal("no check was begun and cancelled")
	}
	before := s.result
	s.Update(labCheckedMsg{of: s, check: s.checks - 1, result: &lab.Result{Points: 99}})
	if s.result != before {
		t.Error("a result came from a check that was cancelled")
	}
	d.start(s.check())
	d.until("the next check has ended", func() bool { return !s.checking })
	if s.result == before || s.err != nil {
		t.Errorf("the next check found nothing: %v", s.err)
	}
}

// A lab whose state is in a cluster is checked again though no file changes, and not
// while a check is under way.
func TestLabCluster(t *testing.T) {
	t.Parallel()
	clock := newLabTestClock()
	d := driveLabs(t, labTestDir(t), clock)
	s := d.open()
	l := *s.lab
	l.Needs = []string{lab.NeedsCluster}
	s.lab = &l
	clock.goOn(labClusterPoll - time.Second)
	d.handle(labTickMsg{s, s.ticks})
	if s.checking {
		t.Error("the cluster is asked too often")
	}
	clock.goOn(time.Second)
	s.looking = false
	d.handle(labTickMsg{s, s.ticks})
	if !s.checking {
		t.Fatal("the cluster is not asked")
	}
	run := s.checks
	clock.goOn(labClusterPoll)
	d.handle(labTickMsg{s, s.ticks})
	d.handle(labSeenMsg{s, "other files"})
	if s.checks != run || s.looking {
		t.Error("two checks are under way")
	}
	d.wantScreen("every 10 seconds. Its cluster runs until x ends")
	// One that somebody else has ended is started by c.
	d.until("it was checked", func() bool { return !s.checking })
	s.err = failure.Wrap(lab.ErrClusterDown, failure.Failed, "start the lab again", "cannot grade")
	d.wantScreen("its cluster does not run; c starts it")
	d.keys("c")
	if s.doing != "Starting its cluster" || s.checking {
		t.Errorf("c: doing %q, checking %v", s.doing, s.checking)
	}
}
