package tui

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"

	"github.com/pkictl/pkictl/internal/failure"
)

func openNote(f *noteFlow) func(*world) screen {
	return func(w *world) screen { return newForm(w, f) }
}

// TestFormWritesANote goes the whole way, from the first key to a file.
func TestFormWritesANote(t *testing.T) {
	t.Parallel()
	f := &noteFlow{dir: t.TempDir()}
	d := newFormDriver(t, openNote(f))
	d.shows("step 1 of 2")
	d.press("todo", "tab", "buy bread", "tab", "dev", "right", ",operators", "enter", "enter", "enter", "enter", "enter")
	d.shows("step 2 of 2")
	d.shows("cluster-00")
	d.press("enter", "space", "enter")
	d.on("Review")
	d.shows("Write it?")
	d.shows("kept for ever")
	d.shows("$ pkictl note --name todo --text 'buy bread' --group developers --group operators")
	d.checkFits()
	if f.ran != 0 {
		t.Fatal("it ran before it was asked for")
	}
	d.press("y")
	d.on("Done")
	d.shows("The note todo is written")
	d.checkFits()
	data, err := os.ReadFile(filepath.Join(f.dir, "todo.txt"))
	if err != nil || string(data) != "buy bread\n" {
		t.Errorf("the note: %q, %v", data, err)
	}
	if strings.Join(f.marks, " ") != "red" || f.profile != "cluster-00" {
		t.Errorf("chosen: %q, %q", f.marks, f.profile)
	}
	d.press("1")
	d.until("a copy", func() bool { return len(d.seen) > 0 })
	if d.seen[0] != "cat "+filepath.Join(f.dir, "todo.txt") {
		t.Errorf("copied %q", d.seen[0])
	}
	d.press("down", "enter")
	d.until("a new form", func() bool { return d.root.top().Title() == "Note" && len(d.root.stack) == 2 })
	d.press("esc")
	d.on("Home")
}

// TestFormEnterIsNo: who presses Enter too often has not said yes.
func TestFormEnterIsNo(t *testing.T) {
	t.Parallel()
	f := &noteFlow{dir: t.TempDir(), name: "todo"}
	d := newFormDriver(t, openNote(f))
	d.press("pgdown", "enter")
	d.shows("step 2 of 2")
	d.press("tab", "enter")
	d.shows("Write it?")
	d.press("enter")
	d.on("Note")
	d.press("enter")
	d.shows("Write it?")
	d.press("n")
	d.on("Note")
	d.press("enter")
	d.shows("Write it?")
	d.press("right", "enter")
	d.on("Done")
	if f.ran != 1 {
		t.Errorf("it ran %d times", f.ran)
	}
}

// TestFormTypedAhead: keys that come before the next screen does are not for the
// one that was left.
func TestFormTypedAhead(t *testing.T) {
	t.Parallel()
	d := newFormDriver(t, openNote(&noteFlow{dir: t.TempDir(), name: "todo"}))
	d.press("pgdown", "enter", "tab", "enter", "enter", "enter", "esc")
	d.shows("Write it?")
	if len(d.root.stack) != 3 {
		t.Errorf("%d screens", len(d.root.stack))
	}
	d.press("esc", "esc", "enter")
	d.on("Note")
	d.press("esc", "esc", "esc", "esc")
	d.on("Home")
	if d.quit {
		t.Error("it has left the program")
	}
}

func TestFormChecksWhileTyping(t *testing.T) {
	t.Parallel()
	d := newFormDriver(t, openNote(&noteFlow{dir: t.TempDir()}))
	if strings.Contains(d.view(), "✗") || strings.Contains(d.view(), "!") {
		t.Errorf("an empty form complains:\n%s", d.view())
	}
	d.press("a/b")
	d.shows(`! the name "a/b" cannot be that of a file`)
	d.shows("take letters and digits alone")
	d.press("tab") // off an invalid field
	d.shows("› Text")
	d.shows(`✗ the name "a/b"`)
	d.press("pgdown", "enter") // but not past it
	d.shows("› Name")
	d.shows("step 1 of 2")
	d.press("backspace", "backspace")
	if strings.Contains(d.view(), "cannot") {
		t.Errorf("it still complains:\n%s", d.view())
	}
	d.press("ctrl+u", "pgdown", "enter")
	d.shows("an answer is needed here")
	d.press("x", "tab", "x", "pgdown", "enter")
	d.shows(`✗ name and text are the same: "x"`)
	d.shows("say something else")
	d.press("shift+tab")
	if strings.Contains(d.view(), "are the same") {
		t.Error("a key later the step still complains")
	}
}

// TestFormKeepsAnswers goes back and forth, to the review and back.
func TestFormKeepsAnswers(t *testing.T) {
	t.Parallel()
	f := &noteFlow{dir: t.TempDir()}
	d := newFormDriver(t, openNote(f))
	d.press("todo", "tab", "half a sen", "pgdown", "enter")
	d.shows("cluster-00")
	d.press("2", "down", "enter", "down", "space") // the second with a 2, and the mark "green"
	d.press("esc")
	d.shows("step 1 of 2")
	d.shows("half a sen")
	d.press("enter")
	d.shows("cluster-12")
	d.shows("Marks green")
	d.press("tab", "enter")
	d.shows("Write it?")
	d.press("esc")
	d.on("Note")
	d.shows("step 2 of 2")
	d.press("esc")
	d.shows("half a sen")
	d.press("esc")
	d.on("Home")
}

// TestFormHides follows the answers at once.
func TestFormHides(t *testing.T) {
	t.Parallel()
	f := &noteFlow{dir: t.TempDir(), name: "todo"}
	d := newFormDriver(t, openNote(f))
	d.press("pgdown")
	d.shows("› More questions")
	if strings.Contains(d.view(), "Extra") {
		t.Error("a hidden field is shown")
	}
	d.press("space")
	d.shows("Extra")
	d.shows("step 1 of 3")
	d.press("down", "e", "up", "space")
	d.shows("step 1 of 2")
	d.press("space", "enter", "enter")
	d.shows("step 2 of 3")
	d.press("tab", "enter")
	d.shows("step 3 of 3")
	d.press("esc", "esc")
	d.shows("step 1 of 3")
}

func TestFormLoadFails(t *testing.T) {
	t.Parallel()
	f := &noteFlow{dir: t.TempDir(), name: "todo", loadErr: errors.New("no route to " + hostile)}
	d := newFormDriver(t, openNote(f))
	d.press("pgdown", "enter")
	d.shows("! not loaded: no route to")
	d.checkFits()
	d.press("tab", "enter")
	d.shows("Write it?")
}

// TestFormLoadsUnderTheCursor: options that come while the cursor is on them do not
// change what was chosen before.
func TestFormLoadsUnderTheCursor(t *testing.T) {
	t.Parallel()
	f := &noteFlow{dir: t.TempDir(), name: "todo", kind: "plain", profile: "cluster-05"}
	d := newFormDriver(t, openNote(f))
	d.press("pgdown", "enter")
	d.shows("● cluster-05")
	d.press("tab")
	if f.profile != "cluster-05" {
		t.Errorf("%q was chosen by going on", f.profile)
	}
}

// TestFormReviewFails: the error stands there with its hint, and esc leads back.
func TestFormReviewFails(t *testing.T) {
	t.Parallel()
	f := &noteFlow{dir: t.TempDir(), name: "todo"}
	if err := os.WriteFile(f.path(), []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	d := newFormDriver(t, openNote(f))
	d.press("pgdown", "enter", "tab", "enter")
	d.on("Review")
	d.shows("there is a note")
	d.shows("take another name")
	d.press("y", "enter")
	if f.ran != 0 || d.root.top().Title() != "Review" {
		t.Error("it goes on after an error")
	}
	if err := os.Remove(f.path()); err != nil {
		t.Fatal(err)
	}
	d.press("r")
	d.shows("Write it?")
	d.press("e")
	d.shows("The same without pkictl")
	d.shows("chmod 0644")
	d.checkFits()
	d.press("end", "e")
	d.shows("Write it?")
	d.shows("kept for ever")
	d.press("c")
	d.until("a copy", func() bool { return len(d.seen) > 0 })
	if d.seen[0] != "pkictl note --name todo" {
		t.Errorf("copied %q", d.seen[0])
	}
	d.shows("Copied.")
	d.press("esc")
	d.on("Note")
}

// TestFormRunFails: what was done stays in sight, and all answers are kept.
func TestFormRunFails(t *testing.T) {
	t.Parallel()
	f := &noteFlow{dir: t.TempDir(), name: "todo", text: "fail"}
	d := newFormDriver(t, openNote(f))
	d.press("pgdown", "enter", "tab", "enter")
	d.shows("Write it?")
	d.press("y")
	d.on("Not done")
	d.shows("It did not work")
	d.shows("disk full")
	d.shows("make room")
	d.shows("✓ half of it")
	d.checkFits()
	d.press("r")
	d.shows("Write it?")
	d.press("y")
	d.on("Not done")
	d.press("esc")
	d.on("Note")
	d.press("esc")
	d.shows("fail")
}

func TestFailedHow(t *testing.T) {
	t.Parallel()
	for kind, want := range map[failure.Kind]string{
		failure.Failed: "It did not work", failure.Usage: "This makes no sense as it is", failure.Finding: "The check found something", failure.Refused: "Refused by a rule",
	} {
		if got := failedHow(failure.New(kind, "", "x")); got != want {
			t.Errorf("%d: %q", kind, got)
		}
	}
}

// TestFormStops: the program ends after the function has.
func TestFormStops(t *testing.T) {
	t.Parallel()
	for _, k := range []string{"esc", "ctrl+c"} {
		f := &noteFlow{dir: t.TempDir(), name: "todo", hold: make(chan struct{}), ended: make(chan struct{})}
		d := newFormDriver(t, openNote(f))
		d.press("pgdown", "enter", "tab", "enter")
		d.shows("Write it?")
		d.press("y")
		d.shows("waiting for another pkictl that is changing " + f.dir[:10])
		d.press("x", "enter", k)
		if k == "esc" {
			d.shows("Stopped, as you asked")
		} else {
			d.until("the end", func() bool { return d.quit })
		}
		select {
		case <-f.ended:
		default:
			t.Errorf("%s: the function has not returned", k)
		}
		if _, err := os.Stat(f.path()); err == nil {
			t.Errorf("%s: a file was left", k)
		}
	}
}

// TestFormPaste pastes into a line, hostile things too.
func TestFormPaste(t *testing.T) {
	t.Parallel()
	f := &noteFlow{dir: t.TempDir()}
	d := newFormDriver(t, openNote(f))
	d.update(tea.PasteMsg{Content: "two\r\nlines\t\x1b[31m\u202e" + strings.Repeat("界e\u0301", 5000)})
	d.checkFits()
	for _, k := range []string{"left", "home", "right", "end", "tab"} {
		d.press(k)
		d.checkFits()
	}
	if strings.ContainsAny(f.name, "\x1b\n") {
		t.Errorf("control characters were taken: %q", f.name[:40])
	}
	d.press("pgdown")
	d.update(tea.PasteMsg{Content: "x"}) // a yes takes none
	d.checkFits()
}

// TestFormCompletes offers suggestions and defaults, and takes them with a key.
func TestFormCompletes(t *testing.T) {
	t.Parallel()
	f := &noteFlow{dir: t.TempDir(), name: "todo"}
	d := newFormDriver(t, openNote(f))
	d.press("tab", "tab", "DEV")
	d.shows("DEVelopers")
	if len(f.groups) != 1 || f.groups[0] != "DEV" {
		t.Errorf("what is offered was taken: %q", f.groups)
	}
	d.press("right", ", ", "ctrl+n")
	d.shows("developers, operators")
	d.press("ctrl+n")
	d.shows("developers, system:masters")
	d.press("end", "tab")
	if strings.Join(f.groups, " ") != "developers system:masters" {
		t.Errorf("groups: %q", f.groups)
	}
	d.shows("› Valid for 365d (default)")
	d.press("right", "backspace", "h")
	if f.validity != "365h" {
		t.Errorf("valid for %q", f.validity)
	}
}

// TestFormNothing asks no question where there is nothing to do.
func TestFormNothing(t *testing.T) {
	t.Parallel()
	f := &noteFlow{dir: t.TempDir(), name: "todo", text: "nothing"}
	d := newFormDriver(t, openNote(f))
	d.press("pgdown", "enter", "tab", "enter")
	d.shows("There is nothing to write.")
	d.checkFits()
	d.press("y", "right", "enter")
	if f.ran != 0 || d.root.top().Title() != "Review" {
		t.Error("it goes on")
	}
	d.press("esc")
	d.on("Note")
}

// TestFormLaterAnswer: an answer that a later one has made wrong is asked for again.
func TestFormLaterAnswer(t *testing.T) {
	t.Parallel()
	f := &noteFlow{dir: t.TempDir(), name: "todo", more: true, extra: "x"}
	d := newFormDriver(t, openNote(f))
	d.press("pgdown", "enter")
	d.shows("step 2 of 3")
	d.press("tab", "enter")
	d.shows("step 3 of 3")
	d.press("backspace", "todo", "enter")
	d.shows("step 1 of 3")
	d.shows(`✗ the name "todo" is that of the extra too`)
	d.press("2", "pgdown", "enter", "tab", "enter", "enter")
	d.shows("Write it?")
}
