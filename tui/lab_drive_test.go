package tui

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/pkictl/pkictl/lab"
)

// labDriver runs screens as the program does: commands in goroutines of their own,
// whose messages come back one at a time.
type labDriver struct {
	t     *testing.T
	w     *world
	root  *root
	msgs  chan tea.Msg
	clock *labTestClock
}

// labTestClock is a clock that stands still until it is told to go on.
type labTestClock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *labTestClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *labTestClock) goOn(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// newLabTestClock is ahead, so that what openssl makes is valid.
func newLabTestClock() *labTestClock {
	return &labTestClock{now: time.Now().Truncate(time.Second).Add(5 * time.Minute)}
}

// labTestSeed is one by which an exam has the labs that these tests solve in it.
func labTestSeed(t *testing.T) uint64 {
	t.Helper()
	seed, err := findLabTestSeed()
	if err != nil {
		t.Fatal(err)
	}
	return seed
}

var findLabTestSeed = sync.OnceValues(func() (uint64, error) {
	root, err := os.MkdirTemp("", "pkictl-labs-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(root)
	for seed := range uint64(1000) {
		session, err := lab.NewExam(context.Background(), lab.ExamOptions{
			Root: filepath.Join(root, strconv.FormatUint(seed, 10)), Now: time.Now(), Random: rand.New(rand.NewPCG(seed, 0)),
		})
		if err != nil {
			return 0, err
		}
		found := 0
		for _, task := range session.Exam().Tasks {
			if task.Lab == labTestID || task.Lab == labTestOther {
				found++
			}
		}
		if found == 2 {
			return seed, nil
		}
	}
	return 0, errors.New("no exam has both labs")
})

func labTestWorld(t *testing.T, dir string, clock *labTestClock) *world {
	return &world{
		Options: Options{Program: "pkictl", LabDir: dir, Now: clock.Now},
		ctx:     t.Context(), theme: newTheme(true),
		chance: rand.New(rand.NewPCG(labTestSeed(t), 0)),
	}
}

// driveLabs begins with the catalogue.
func driveLabs(t *testing.T, dir string, clock *labTestClock) *labDriver {
	t.Helper()
	d := &labDriver{t: t, w: labTestWorld(t, dir, clock), msgs: make(chan tea.Msg, 1024), clock: clock}
	d.w.send = func(msg tea.Msg) { d.msgs <- msg }
	d.root = newRoot(d.w, newLabs(d.w))
	d.start(d.root.top().Init())
	d.until("the catalogue is loaded", func() bool { s, ok := d.root.top().(*labsScreen); return ok && s.loaded })
	return d
}

func (d *labDriver) start(cmd tea.Cmd) {
	if cmd == nil {
		return
	}
	go func() {
		if msg := cmd(); msg != nil {
			select {
			case d.msgs <- msg:
			case <-d.t.Context().Done():
			}
		}
	}()
}

func (d *labDriver) handle(msg tea.Msg) {
	if batch, ok := msg.(tea.BatchMsg); ok {
		for _, cmd := range batch {
			d.start(cmd)
		}
		return
	}
	_, cmd := d.root.Update(msg)
	d.start(cmd)
}

// until handles messages until something is so.
func (d *labDriver) until(what string, so func() bool) {
	d.t.Helper()
	limit := time.After(time.Minute)
	for !so() {
		select {
		case msg := <-d.msgs:
			d.handle(msg)
		case <-limit:
			d.t.Fatalf("it never came that %s; the screen:\n%s", what, d.screen())
		}
	}
}

// keys presses keys: each a name, or a text that is typed.
func (d *labDriver) keys(names ...string) {
	for _, name := range names {
		d.handle(labTestKey(name))
	}
}

func labTestKey(name string) tea.KeyPressMsg {
	special := map[string]tea.Key{
		"enter": {Code: tea.KeyEnter}, "esc": {Code: tea.KeyEscape}, "tab": {Code: tea.KeyTab}, "up": {Code: tea.KeyUp},
		"down": {Code: tea.KeyDown}, "left": {Code: tea.KeyLeft}, "right": {Code: tea.KeyRight}, "end": {Code: tea.KeyEnd},
		"pgdown": {Code: tea.KeyPgDown}, "backspace": {Code: tea.KeyBackspace}, "ctrl+x": {Code: 'x', Mod: tea.ModCtrl},
		"ctrl+c": {Code: 'c', Mod: tea.ModCtrl},
	}
	if k, ok := special[name]; ok {
		return tea.KeyPressMsg(k)
	}
	return tea.KeyPressMsg{Code: []rune(name)[0], Text: name}
}

// screen is what is drawn, without styles, where there is room for all.
func (d *labDriver) screen() string { return ansi.Strip(d.root.top().View(100, 400)) }

// wantScreen waits until a text is drawn.
func (d *labDriver) wantScreen(wants ...string) {
	d.t.Helper()
	for _, want := range wants {
		d.until("the screen says "+want, func() bool { return strings.Contains(d.screen(), want) })
	}
}

// open opens a lab and starts it, or goes on with it.
func (d *labDriver) open() *labScreen {
	d.t.Helper()
	s := d.choose()
	if s.space == nil {
		d.keys("enter")
	}
	d.until("it was checked", func() bool { return s.result != nil && !s.checking })
	return s
}

// choose opens the lab from the catalogue.
func (d *labDriver) choose() *labScreen {
	d.t.Helper()
	catalogue := d.root.top().(*labsScreen)
	for i, row := range catalogue.rows {
		if row.lab != nil && row.lab.ID == labTestID {
			catalogue.cursor = i
		}
	}
	d.keys("enter")
	d.until("lab "+labTestID+" is open", func() bool {
		s, ok := d.root.top().(*labScreen)
		return ok && s.lab.ID == labTestID && s.loaded
	})
	return d.root.top().(*labScreen)
}

// back goes back to the catalogue.
func (d *labDriver) back() {
	d.t.Helper()
	d.keys("esc")
	var s *labsScreen
	d.until("the catalogue is back", func() (ok bool) { s, ok = d.root.top().(*labsScreen); return ok })
	s.loaded = false
	d.until("it is loaded anew", func() bool { return s.loaded })
}

// labTestSolve runs the solution of a lab in its workspace, as a learner does.
func labTestSolve(t *testing.T, l *lab.Lab, dir string) {
	t.Helper()
	labTestRun(t, dir, l.Solution.Tools)
}

func labTestRun(t *testing.T, dir, script string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-eu", "-c", script)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s\n%s", err, script, out)
	}
}

// labTestMutant returns the script of a typical mistake.
func labTestMutant(t *testing.T, l *lab.Lab, id string) string {
	t.Helper()
	for _, m := range l.Mutants {
		if m.ID == id {
			return m.Script
		}
	}
	t.Fatalf("lab %s has no mutant %s", l.ID, id)
	return ""
}

func labTestNamed(t *testing.T, id string) *lab.Lab {
	t.Helper()
	l, err := lab.Named(id)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func labTestDir(t *testing.T) string { return filepath.Join(t.TempDir(), "labs") }

// labTestProgress is what is on the disk.
func labTestProgress(t *testing.T, dir, id string) lab.Progress {
	t.Helper()
	p, err := lab.OpenProgress(dir).Get(id)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
