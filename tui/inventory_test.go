package tui

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/pkictl/pkictl/ca"
)

var inventoryNow = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

// newInventoryWorld is a world without a terminal.
func newInventoryWorld(dir string) *world {
	return &world{
		Options: Options{Program: "pkictl", Dir: dir, Now: func() time.Time { return inventoryNow }},
		ctx:     context.Background(), theme: newTheme(true), send: func(tea.Msg) {},
	}
}

// inventoryEntries makes entries that differ, some of them hostile, in the order
// of their ends.
func inventoryEntries(n int) []ca.Entry {
	random := rand.New(rand.NewPCG(1, uint64(n)))
	pick := func(from ...string) string { return from[random.IntN(len(from))] }
	entries := make([]ca.Entry, n)
	for i := range entries {
		e := &entries[i]
		e.CommonName = pick("jane", "Joe", "Jürgen", "kube-apiserver", "system:node:w1", "", "\u212Aelvin", "名前") + pick("", fmt.Sprint("-", i%37))
		e.Name = pick(e.CommonName, "web", fmt.Sprint("file-", i%11))
		e.Groups = slices.Repeat([]string{pick("Developers", "système", "ops")}, random.IntN(3))
		e.Profile = pick("client", "server", "peer", "")
		e.Serial = ca.FormatSerial(new(big.Int).SetUint64(random.Uint64() >> random.IntN(64)))
		e.IssuerID = pick("AA:BB", "CC:DD")
		e.State = ca.States()[random.IntN(len(ca.States()))]
		e.NotAfter = inventoryNow.Add(time.Duration(random.IntN(200)-100) * ca.Day)
		e.Credential = random.IntN(5) == 0
	}
	slices.SortStableFunc(entries, func(x, y ca.Entry) int { return x.NotAfter.Compare(y.NotAfter) })
	return entries
}

// inventoryOf makes a screen that has read these entries.
func inventoryOf(t testing.TB, entries []ca.Entry) *inventoryScreen {
	t.Helper()
	s := newInventory(newInventoryWorld(t.TempDir()))
	s.data.load = loadOf(entries)
	runInventory(s, s.data.load.next)
	return s
}

// loadOf is a load that brings entries.
func loadOf(entries []ca.Entry) *inventoryLoad {
	filler := newInventoryFiller()
	load := &inventoryLoad{blocks: make(chan *inventoryBlock, len(entries)), cancel: func() {}}
	for i := range entries {
		if filler.add(&entries[i]); filler.isFull() || i == len(entries)-1 {
			load.blocks <- filler.take()
		}
	}
	close(load.blocks)
	return load
}

// runInventory runs a command, and those that follow, to their end. What would
// open another screen is returned.
func runInventory(s *inventoryScreen, cmd tea.Cmd) tea.Msg {
	if cmd == nil {
		return nil
	}
	switch msg := cmd().(type) {
	case nil:
		return nil
	case tea.BatchMsg:
		var last tea.Msg
		for _, one := range msg {
			last = cmp.Or(runInventory(s, one), last)
		}
		return last
	case inventoryBlockMsg, inventoryLoadedMsg, inventoryArrangedMsg, inventoryChangedMsg:
		_, next := s.Update(msg)
		return runInventory(s, next)
	default:
		return msg
	}
}

// pressInventory presses keys, each by its name, and waits for what they start.
func pressInventory(s *inventoryScreen, keys ...string) (last tea.Msg) {
	for _, pressed := range keys {
		_, cmd := s.Update(inventoryKey(pressed))
		last = runInventory(s, cmd)
	}
	return last
}

func typeInventory(s *inventoryScreen, typed string) {
	for _, r := range typed {
		pressInventory(s, string(r))
	}
}

func inventoryKey(pressed string) tea.KeyPressMsg {
	codes := map[string]rune{
		"enter": tea.KeyEnter, "esc": tea.KeyEscape, "up": tea.KeyUp, "down": tea.KeyDown, "pgup": tea.KeyPgUp, "pgdown": tea.KeyPgDown,
		"home": tea.KeyHome, "end": tea.KeyEnd, "backspace": tea.KeyBackspace, "f5": tea.KeyF5, "space": tea.KeySpace,
	}
	if code, ok := codes[pressed]; ok {
		return tea.KeyPressMsg{Code: code}
	}
	if letter, ok := strings.CutPrefix(pressed, "ctrl+"); ok {
		return tea.KeyPressMsg{Code: rune(letter[0]), Mod: tea.ModCtrl}
	}
	return tea.KeyPressMsg{Code: []rune(pressed)[0], Text: pressed}
}

// serials are those of all that a table shows, in its order.
func (s *inventoryScreen) serials() []string {
	list := make([]string, s.shown.len())
	for i := range list {
		list[i] = s.data.table.id(s.number(i)).serial
	}
	return list
}

func serialsOf(entries []ca.Entry) []string {
	list := make([]string, len(entries))
	for i, e := range entries {
		list[i] = e.Serial
	}
	return list
}

// TestInventoryOrders compares each order with that of a plain sort.
func TestInventoryOrders(t *testing.T) {
	t.Parallel()
	entries := inventoryEntries(3000)
	s := inventoryOf(t, entries)
	number := func(e ca.Entry) *big.Int { n, _ := new(big.Int).SetString(e.Serial, 16); return n }
	shownName := func(e ca.Entry) (name, file string) {
		if e.CommonName == "" || e.CommonName == e.Name {
			return e.Name, ""
		}
		return e.CommonName, e.Name
	}
	orders := []func(x, y ca.Entry) int{
		func(x, y ca.Entry) int {
			xName, xFile := shownName(x)
			yName, yFile := shownName(y)
			return cmp.Or(strings.Compare(xName, yName), strings.Compare(xFile, yFile))
		},
		func(x, y ca.Entry) int {
			return strings.Compare(strings.Join(x.Groups, ", "), strings.Join(y.Groups, ", "))
		},
		func(x, y ca.Entry) int { return strings.Compare(x.Profile, y.Profile) },
		func(x, y ca.Entry) int { return number(x).Cmp(number(y)) },
		func(x, y ca.Entry) int { return x.NotAfter.Compare(y.NotAfter) },
		func(x, y ca.Entry) int {
			return slices.Index(ca.States(), x.State) - slices.Index(ca.States(), y.State)
		},
	}
	for i, order := range orders {
		want := slices.Clone(entries) // in the order of their ends
		slices.SortStableFunc(want, order)
		pressInventory(s, fmt.Sprint(i+1))
		if !slices.Equal(s.serials(), serialsOf(want)) {
			t.Errorf("by %s: another order than a plain sort", s.by.title())
		}
		slices.Reverse(want)
		pressInventory(s, "S")
		if !slices.Equal(s.serials(), serialsOf(want)) {
			t.Errorf("by %s, backward: another order than a plain sort", s.by.title())
		}
		if head := ansi.Strip(s.View(200, 20)); !strings.Contains(head, s.by.title()+" ▼") {
			t.Errorf("by %s: no arrow in\n%s", s.by.title(), head)
		}
		pressInventory(s, "S")
	}
}

// TestInventoryFilter compares what filters leave with what a naive one does.
func TestInventoryFilter(t *testing.T) {
	t.Parallel()
	entries := inventoryEntries(3000)
	has := func(text, word string) bool { return strings.Contains(strings.ToLower(text), strings.ToLower(word)) }
	groups := func(e ca.Entry) string { return strings.Join(e.Groups, ", ") }
	anywhere := func(e ca.Entry, word string) bool {
		return has(e.CommonName, word) || has(e.Name, word) || has(groups(e), word) || has(e.Profile, word) || has(e.Serial, word) || has(string(e.State), word)
	}
	due := func(e ca.Entry, within time.Duration) bool {
		return e.CanBeDue() && ca.EndsWithin(e.NotAfter, within, inventoryNow)
	}
	for typed, matches := range map[string]func(ca.Entry) bool{
		"jane":                  func(e ca.Entry) bool { return anywhere(e, "jane") },
		"JÜRGEN":                func(e ca.Entry) bool { return anywhere(e, "jürgen") },
		"kelvin":                func(e ca.Entry) bool { return anywhere(e, "kelvin") },
		"名":                     func(e ca.Entry) bool { return anywhere(e, "名") },
		"system:node":           func(e ca.Entry) bool { return anywhere(e, "system:node") },
		"revoked":               func(e ca.Entry) bool { return anywhere(e, "revoked") },
		"state:rev":             func(e ca.Entry) bool { return e.State == ca.StateRevoked },
		"state:valid group:dev": func(e ca.Entry) bool { return e.State == ca.StateValid && has(groups(e), "dev") },
		"group:SYSTÈME -1":      func(e ca.Entry) bool { return has(groups(e), "système") && anywhere(e, "-1") },
		"profile:server name:file-1": func(e ca.Entry) bool {
			return e.Profile == "server" && (has(e.CommonName, "file-1") || has(e.Name, "file-1"))
		},
		"serial:0a":         func(e ca.Entry) bool { return has(e.Serial, "0a") },
		"expiring:30d":      func(e ca.Entry) bool { return due(e, 30*ca.Day) },
		"expiring:30d joe":  func(e ca.Entry) bool { return due(e, 30*ca.Day) && anywhere(e, "joe") },
		"expiring: group:":  func(ca.Entry) bool { return true },
		"nothing-like-this": func(ca.Entry) bool { return false },
	} {
		s := inventoryOf(t, entries)
		pressInventory(s, "/")
		typeInventory(s, typed)
		var want []ca.Entry
		for _, e := range entries {
			if matches(e) {
				want = append(want, e)
			}
		}
		if got := s.serials(); !slices.Equal(got, serialsOf(want)) {
			t.Errorf("%s: %d of %d match, want %d", typed, len(got), len(entries), len(want))
		}
		if n := len(want); n < len(entries) && !strings.Contains(ansi.Strip(s.View(100, 20)), number(n)+" of 3,000 certificates") {
			t.Errorf("%s: the count %d is not in\n%s", typed, n, ansi.Strip(s.View(100, 20)))
		}
		pressInventory(s, "enter", "1", "S")
		slices.SortStableFunc(want, func(x, y ca.Entry) int { return strings.Compare(x.Serial, y.Serial) })
		got := s.serials()
		slices.Sort(got)
		if !slices.Equal(got, serialsOf(want)) {
			t.Errorf("%s: sorted by name, it shows others", typed)
		}
		pressInventory(s, "esc")
		if s.shown.len() != len(entries) {
			t.Errorf("%s: esc leaves %d", typed, s.shown.len())
		}
	}
	s := inventoryOf(t, entries)
	pressInventory(s, "/")
	typeInventory(s, "expiring:3x")
	if view := ansi.Strip(s.View(200, 20)); !strings.Contains(view, `"3x" is no length of time`) || s.shown.len() != len(entries) {
		t.Errorf("a filter that cannot be read:\n%s", view)
	}
}

// TestInventorySelection: the cursor stays on its certificate whatever is done.
func TestInventorySelection(t *testing.T) {
	t.Parallel()
	entries := inventoryEntries(3000)
	s := inventoryOf(t, entries)
	s.View(100, 23) // twenty rows
	pressInventory(s, "pgdown", "pgdown", "down", "up", "down")
	if s.cursor != 41 {
		t.Fatalf("cursor at %d", s.cursor)
	}
	chosen := entries[41]
	under := func(what string) {
		t.Helper()
		if got := s.data.table.id(s.number(s.cursor)); got.serial != chosen.Serial || got.issuer != chosen.IssuerID {
			t.Errorf("%s: the cursor is on %v, want serial %s", what, got, chosen.Serial)
		}
		if view := ansi.Strip(s.View(200, 23)); !strings.Contains(view, "› ") || !strings.Contains(view, chosen.Serial) {
			t.Errorf("%s: not in view:\n%s", what, view)
		}
	}
	for _, pressed := range []string{"1", "S", "4", "s", "2", "5"} {
		pressInventory(s, pressed)
		under("after " + pressed)
	}
	pressInventory(s, "/")
	typeInventory(s, "serial:"+strings.ToLower(chosen.Serial))
	under("filtered")
	pressInventory(s, "ctrl+u")
	under("no filter")
	typeInventory(s, "nothing-like-this")
	if view := ansi.Strip(s.View(100, 20)); !strings.Contains(view, "No certificate matches") {
		t.Errorf("nothing matches:\n%s", view)
	}
	pressInventory(s, "enter", "enter", "down", "S", "ctrl+u", "esc")
	// Read again, with others in front and behind, sorted by name.
	more := slices.Concat(inventoryEntries(700), entries)
	slices.SortStableFunc(more, func(x, y ca.Entry) int { return x.NotAfter.Compare(y.NotAfter) })
	for _, by := range []string{"5", "1"} {
		pressInventory(s, by, "/")
		typeInventory(s, "serial:"+chosen.Serial)
		pressInventory(s, "enter", "down", "esc")
		runInventory(s, s.readAgain(loadOf(more)))
		if s.shown.len() != len(more) || s.next != nil {
			t.Fatalf("%d are shown, want %d", s.shown.len(), len(more))
		}
		under("read again, by " + by)
	}
	pressInventory(s, "home")
	if s.cursor != 0 {
		t.Errorf("home: %d", s.cursor)
	}
	pressInventory(s, "end")
	if s.cursor != len(more)-1 {
		t.Errorf("end: %d", s.cursor)
	}
}

// TestInventoryReadAgain: of many certificates there are never two copies, and
// the cursor finds its own again.
func TestInventoryReadAgain(t *testing.T) {
	t.Parallel()
	entries := inventoryEntries(inventoryTwice + 2000)
	for _, by := range []string{"6", "5"} {
		s := inventoryOf(t, entries)
		pressInventory(s, by, "end", "up")
		want := s.selected
		cmd := s.readAgain(loadOf(entries))
		if s.next != nil || s.data.table.count != 0 {
			t.Error("it keeps what was read before")
		}
		checkFits(t, s)
		runInventory(s, cmd)
		if got := s.data.table.id(s.number(s.cursor)); got != want || s.cursor != len(entries)-2 {
			t.Errorf("by %s: the cursor is on %v at %d, want %v", by, got, s.cursor, want)
		}
	}
}

// TestInventoryStaysAtTheTop: who has not moved sees the first rows, also while
// more come in.
func TestInventoryStaysAtTheTop(t *testing.T) {
	t.Parallel()
	entries := inventoryEntries(5000)
	s := newInventory(newInventoryWorld(t.TempDir()))
	s.data.load = loadOf(entries)
	pressInventory(s, "S") // the last to end first
	for range 3 {
		_, _ = s.Update(s.data.load.next())
		if s.cursor != 0 {
			t.Fatalf("cursor at %d", s.cursor)
		}
	}
	if view := ansi.Strip(s.View(100, 20)); !strings.Contains(view, "3,072 certificates, reading") {
		t.Errorf("no count in\n%s", view)
	}
	pressInventory(s, "down")
	under := s.selected
	runInventory(s, s.data.load.next)
	if got := s.data.table.id(s.number(s.cursor)); got != under || s.cursor < 1000 {
		t.Errorf("cursor at %d on %v, want %v", s.cursor, got, under)
	}
}

func TestInventoryFits(t *testing.T) {
	t.Parallel()
	hostile := []string{
		"\x1b[31mred\x1b]52;c;AAAA\a", "\u202Eevil\u2066", strings.Repeat("x", 10_000), strings.Repeat("名", 10_000), "e" + strings.Repeat("\u0301", 10_000),
		"line\nbreak\ttab\r", "\xff\xfe", "👩‍👩‍👧‍👦" + strings.Repeat("\u200d", 100), "", "\x00",
	}
	var entries []ca.Entry
	for i := range 300 {
		e := inventoryEntries(1)[0]
		e.CommonName, e.Name = hostile[i%len(hostile)], hostile[(i+3)%len(hostile)]
		e.Groups, e.Profile = []string{hostile[(i+1)%len(hostile)]}, hostile[(i+2)%len(hostile)]
		e.State = ca.States()[i%len(ca.States())]
		e.Serial = strings.Repeat("AB", i%22+1)
		entries = append(entries, e)
	}
	s := inventoryOf(t, entries)
	for _, keys := range [][]string{{}, {"end"}, {"1"}, {"/", "e"}, {"\u202E"}, {"ctrl+u", "x"}, {"enter", "S", "pgup"}} {
		pressInventory(s, keys...)
		checkFits(t, s)
		view := s.View(200, 56)
		for _, raw := range []string{"\x1b]", "\x1b[31m", "\u202E", "\u2066", "\r", "\x00", "\a"} {
			if strings.Contains(view, raw) {
				t.Errorf("after %v: %q is drawn raw", keys, raw)
			}
		}
	}
	_, _ = s.Update(tea.PasteMsg{Content: strings.Repeat("\x1b]0;x\n", 1000)})
	checkFits(t, s)
	empty := inventoryOf(t, nil)
	checkFits(t, empty)
	none := newInventory(newInventoryWorld(t.TempDir()))
	runInventory(none, none.Init())
	checkFits(t, none)
	if view := ansi.Strip(none.View(80, 20)); !strings.Contains(view, "make one with: ") {
		t.Errorf("no CA:\n%s", view)
	}
}

func TestInventoryDetailsFit(t *testing.T) {
	t.Parallel()
	for _, hostile := range []string{
		"\x1b[31mred\x1b]52;c;AAAA\a", "\u202Eevil", strings.Repeat("x", 10_000), strings.Repeat("名", 10_000), "e" + strings.Repeat("\u0301", 10_000), "a\nb\r",
	} {
		detail := &ca.Detail{Info: &ca.CertificateInfo{Subject: hostile, Issuer: hostile, Kubernetes: &ca.KubernetesUser{User: hostile}}}
		detail.CommonName, detail.Name, detail.Groups, detail.Profile, detail.State = hostile, hostile, []string{hostile, hostile}, hostile, ca.StateReplaced
		detail.Also, detail.Holders, detail.Files, detail.Advice = []string{hostile}, []string{hostile}, []string{hostile}, []string{hostile}
		d := &inventoryDetails{world: newInventoryWorld("pki"), id: inventoryID{serial: "0A"}, detail: detail}
		checkFits(t, d)
		if view := d.View(200, 500); strings.ContainsAny(view, "\r\a\u202E") || strings.Contains(view, "\x1b]") {
			t.Errorf("%.20q is drawn raw", hostile)
		}
		d.detail, d.err = nil, errors.New(hostile)
		checkFits(t, d)
	}
}
