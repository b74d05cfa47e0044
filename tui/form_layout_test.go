package tui

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/pkictl/pkictl/cluster"
	"github.com/pkictl/pkictl/csr"
)

// TestFormMakesRoom: where there is little of it, what a step is about gives way to
// the options to choose from.
func TestFormMakesRoom(t *testing.T) {
	t.Parallel()
	user := newFlowUserIn(t, t.TempDir())
	user.name, user.groups = "jane.doe@example.com", []string{"developers", "operators"}
	s := newForm(user.w, user).(*formScreen)
	s.at = 2
	s.refresh()
	s.focusOn(0)
	shown := ansi.Strip(s.View(60, 12)) // what is left of 16 lines
	for _, o := range user.accessOptions() {
		if !strings.Contains(shown, o.label[:20]) {
			t.Errorf("%q is not seen:\n%s", o.label, shown)
		}
	}
	for _, want := range []string{"Access", "step 3 of 5", "Namespace", "See nearly everything", "$ pkictl user add"} {
		if !strings.Contains(shown, want) {
			t.Errorf("%q is not seen:\n%s", want, shown)
		}
	}
}

// TestFormOfHostileCluster: what a cluster has is called as somebody in it likes.
func TestFormOfHostileCluster(t *testing.T) {
	t.Parallel()
	for _, hostile := range hostileAnswers {
		user := newFlowUserIn(t, t.TempDir())
		names := []string{hostile, "a" + hostile, "b"}
		user.look()
		user.from, user.asked = user.reached, true
		user.offered = &csr.Offered{Namespaces: names, ClusterRoles: names, Roles: map[string][]string{"": names, "default": names}}
		s := newForm(user.w, user).(*formScreen)
		s.at = 2
		for _, access := range []string{csr.RoleView, flowUserRole, flowUserCluster, flowUserNothing} {
			user.access = access
			s.refresh()
			for i := range s.step().fields {
				s.focusOn(i)
				for _, k := range []string{"ctrl+u", "ctrl+n", "a", "right", "ctrl+n", "ctrl+n", "left"} {
					for _, msg := range keyMessages(k) {
						s.press(msg)
						s.refresh()
					}
					for _, size := range [][2]int{{60, 12}, {80, 20}, {130, 30}} {
						checkDrawn(t, s, size, hostile)
					}
				}
			}
		}
		plain := strings.Join(append(user.command(), user.namespace, user.role), "")
		if strings.ContainsAny(plain, "\x1b\x07\n\r\t") {
			t.Errorf("%.20q: taken as it is: %q", hostile, plain)
		}
	}
}

// TestLongLinesAreBrokenBetweenWords, of results and of recipes.
func TestLongLinesAreBrokenBetweenWords(t *testing.T) {
	t.Parallel()
	line := "  may     read pods, deployments.apps, services, configmaps and jobs.batch in kube-system"
	for width := 20; width < 100; width++ {
		lines := wrapKeeping(line, width)
		for i, each := range lines {
			if ansi.StringWidth(each) > width || i > 0 && !strings.HasPrefix(each, "    ") {
				t.Errorf("at %d: %q", width, each)
			}
		}
		if got, want := strings.Fields(strings.Join(lines, " ")), strings.Fields(line); !slices.Equal(got, want) && width > 24 {
			t.Errorf("at %d: %q", width, got)
		}
	}
	if got := wrapKeeping(strings.Repeat("x", 50), 20); len(got) != 3 || ansi.StringWidth(got[2]) > 20 {
		t.Errorf("a long word: %q", got)
	}
}

// TestListsHoldCommas: one of a list may have a comma in it.
func TestListsHoldCommas(t *testing.T) {
	t.Parallel()
	for typed, want := range map[string][]string{
		`Example\, Inc., Sales`: {"Example, Inc.", "Sales"},
		` a , ,b,`:              {"a", "b"},
		`C:\x, \\, é\,`:         {`C:\x`, `\, é,`},
		``:                      nil,
	} {
		got := splitList(typed)
		if !slices.Equal(got, want) {
			t.Errorf("%q is %q", typed, got)
		}
		if again := splitList(joinList(got)); !slices.Equal(again, got) && !strings.Contains(typed, `\\`) {
			t.Errorf("%q becomes %q", got, again)
		}
	}
}

// TestReviewShowsTheWholeCommand, of which its foot has two lines.
func TestReviewShowsTheWholeCommand(t *testing.T) {
	t.Parallel()
	f := &noteFlow{dir: t.TempDir(), name: "todo", text: strings.Repeat("word ", 100) + "end"}
	d := newFormDriver(t, openNote(f))
	d.press("pgdown", "enter", "tab", "enter")
	d.shows("Write it?")
	all := strings.Join(d.root.top().(*reviewScreen).content(76), "\n")
	if _, whole, _ := strings.Cut(ansi.Strip(all), "The command in full"); strings.Count(whole, "word") < 100 || !strings.Contains(whole, "end'") {
		t.Errorf("the content of the review:\n%s", all)
	}
	d.checkFits()
	d.press("e")
	d.shows("chmod 0644")
	d.press("c")
	d.until("a copy", func() bool { return len(d.seen) > 0 })
	if recipe, err := f.explain(t.Context()); err != nil || d.seen[0] != recipe {
		t.Errorf("copied %q: %v", d.seen[0], err)
	}
}

// TestFormSpacesAreNoAnswer: what serves instead is shown.
func TestFormSpacesAreNoAnswer(t *testing.T) {
	t.Parallel()
	f := &noteFlow{dir: t.TempDir(), name: "todo"}
	d := newFormDriver(t, openNote(f))
	d.press("tab", "tab", "tab", "space", "tab")
	d.shows("365d (default)")
}

// TestFormForgetsWhatWasNotLoaded with the next answer, which may be what was
// missing.
func TestFormForgetsWhatWasNotLoaded(t *testing.T) {
	t.Parallel()
	f := newFlowAPIServer(flowWorld("pki", time.Now, nil))
	s := newForm(f.world, f).(*formScreen)
	s.at = 1
	s.step().loaded = errors.New("there is no manifest")
	s.refresh()
	s.focusOn(0)
	if !strings.Contains(ansi.Strip(s.View(80, 20)), "! not loaded: there is no manifest") {
		t.Error("it does not say what was not loaded")
	}
	s.press(keyMessages("x")[0])
	if shown := ansi.Strip(s.View(80, 20)); strings.Contains(shown, "no manifest") {
		t.Errorf("it still says so:\n%s", shown)
	}
}

// TestFlowLeadsBack to the screen that it was opened from.
func TestFlowLeadsBack(t *testing.T) {
	t.Parallel()
	f := &noteFlow{dir: t.TempDir(), name: "todo"}
	d := newFormDriver(t, func(*world) screen { return &sheet{name: "List"} })
	d.update(pushMsg{newForm(d.w, f)})
	d.press("pgdown", "enter", "tab", "enter")
	d.shows("Write it?")
	d.press("y")
	d.on("Done")
	d.press("esc")
	d.on("List")
}

// TestFlowIsKept: who leaves a flow and comes again finds what was typed; what was
// done is not offered again.
func TestFlowIsKept(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	open := func(w *world) screen {
		return w.openFlow("Note", func(*world) flow { return &noteFlow{dir: dir} })
	}
	d := newFormDriver(t, open)
	d.press("todo", "tab", "half a sentence", "pgdown", "enter")
	d.press("esc", "esc") // while it loads
	d.on("Home")
	d.update(pushMsg{open(d.w)})
	d.shows("half a sentence")
	d.shows("--name todo")
	d.press("pgdown", "enter")
	d.shows("cluster-00")
	d.press("tab", "enter")
	d.shows("Write it?")
	d.press("y")
	d.on("Done")
	d.press("esc")
	d.on("Home")
	d.update(pushMsg{open(d.w)})
	d.shows("What it is called")
	if strings.Contains(d.view(), "half a sentence") {
		t.Errorf("what was done is there again:\n%s", d.view())
	}
}

// TestReviewLeadsToRepair: where a review finds something to be repaired, the step
// that asks whether to do so is the one before it.
func TestReviewLeadsToRepair(t *testing.T) {
	t.Parallel()
	f := newFlowClusterIn(t.TempDir(), time.Now)
	f.nodes, f.node, f.address = flowClusterOne, "cp-1", "10.0.0.11"
	var log jobLog
	if _, err := f.run(t.Context(), log.newJob()); err != nil {
		t.Fatal(err)
	}
	pki := cluster.PKIDir(f.w.ClusterDir)
	for _, ext := range []string{".crt", ".key"} {
		data, err := os.ReadFile(filepath.Join(pki, "front-proxy-client"+ext))
		if err == nil {
			err = os.WriteFile(filepath.Join(pki, "apiserver-kubelet-client"+ext), data, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	d := newFormDriver(t, func(*world) screen { return newForm(f.w, f) })
	f.w.send, f.w.ctx = d.w.send, d.w.ctx
	for i := range 5 {
		d.shows(fmt.Sprintf("step %d of 5", i+1))
		d.until("nothing loads", func() bool { return d.root.top().(*formScreen).under == 0 })
		d.press("pgdown", "enter")
	}
	d.shows("Go back one step to have it replaced.")
	d.press("esc")
	d.on("Cluster PKI")
	d.shows("Repair step 6 of 6")
	d.press("space", "enter")
	d.shows("Make them?")
	if last := f.command(); last[len(last)-1] != "--repair" {
		t.Errorf("the command is %q", last)
	}
}
