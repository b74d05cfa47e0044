package tui

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
)

func plainWorld() *world {
	return &world{Options: Options{Program: "pkictl", Now: time.Now}, ctx: context.Background(), theme: newTheme(true)}
}

func plainRun(t *testing.T, f flow, answers ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	err := formPlain(t.Context(), plainWorld(), f, strings.NewReader(strings.Join(answers, "\n")+"\n"), &out)
	for _, r := range out.String() {
		if r < ' ' && r != '\n' || strings.ContainsRune("│─┌●○✓✗›\u202e", r) {
			t.Errorf("no screen reader reads %q, in:\n%s", r, out.String())
			break
		}
	}
	return out.String(), err
}

func checkSaid(t *testing.T, out string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(out, w) {
			t.Errorf("not said: %q, in:\n%s", w, out)
		}
	}
}

// plainWhole are answers to all questions, and a yes.
var plainWhole = []string{"a/b", "?", "todo", "buy bread", "developers, operators", "", "7", "2", "y", "n", "cluster-07", "1, 3", "y"}

func TestPlainWritesANote(t *testing.T) {
	t.Parallel()
	f := &noteFlow{dir: t.TempDir()}
	out, err := plainRun(t, f, plainWhole...)
	if err != nil {
		t.Fatalf("%v, after:\n%s", err, out)
	}
	checkSaid(t, out,
		"Step 1 of 2: What it is called", "Name, required: ", `error: the name "a/b" cannot be that of a file`, "hint: take letters and digits alone",
		"For example: todo", "Valid for [365d]: ", "there is no number 7", "2. a list: one line for each word", "Kind, a number [1]: ", "Private [y/N]: ",
		"Marks, numbers with commas between: ", "warning: a note is kept for ever", "text: buy bread", ", mode 0644, the note",
		"The command: pkictl note --name todo --text 'buy bread' --group developers --group operators --private",
		"[y/N]: ", "done: wrote "+f.path(), "The note todo is written", "Next, 1. Read it", "   cat "+f.path())
	if data, err := os.ReadFile(f.path()); err != nil || string(data) != "buy bread\n" {
		t.Errorf("the note: %q, %v", data, err)
	}
	if f.kind != "list" || !f.private || f.profile != "cluster-07" || fmt.Sprint(f.marks) != "[red blue]" {
		t.Errorf("answers: %q %v %q %q", f.kind, f.private, f.profile, f.marks)
	}
}

// TestPlainEnd: the end of input is no consent, wherever it comes.
func TestPlainEnd(t *testing.T) {
	t.Parallel()
	for n := range len(plainWhole) {
		for _, half := range []string{"", "y"} {
			f := &noteFlow{dir: t.TempDir()}
			in := strings.NewReader(strings.Join(append(append([]string(nil), plainWhole[:n]...), half), "\n"))
			err := formPlain(t.Context(), plainWorld(), f, in, io.Discard)
			if failure.KindOf(err) != failure.Refused || !errors.Is(err, io.EOF) {
				t.Errorf("after %d answers: %v", n, err)
			}
			if _, err := os.Stat(f.path()); err == nil || f.ran != 0 {
				t.Errorf("after %d answers: it was done", n)
			}
		}
	}
}

// TestPlainBack goes back by questions, from step to step, and from the end.
func TestPlainBack(t *testing.T) {
	t.Parallel()
	f := &noteFlow{dir: t.TempDir()}
	out, err := plainRun(t, f,
		"<", "wrong", "some", "<", "<", "todo", "", "", "<", "-", "", "", "", "", // Groups is emptied, then all on to the next step
		"3", "<", "<", "y", "more", // the last of step 1 that is shown, and the one that this shows
		"", "", "<", "", // step 2; from step 3 back to Marks, and on
		"last", "e", "<", "", "n")
	if failure.KindOf(err) != failure.Refused {
		t.Errorf("no is: %v", err)
	}
	checkSaid(t, out, "This is the first question.", "Name [wrong]: ", "Text [some]: ", "Step 3 of 3: More", "Extra again [more]: ", "chmod 0644", "Extra again [last]: ", "Step 2 of 3: Where it goes",
		"The answer was not yes, so nothing was changed.")
	if f.name != "todo" || f.text != "some" || f.extra != "last" || f.ran != 0 {
		t.Errorf("answers: %q %q %q", f.name, f.text, f.extra)
	}
}

// TestPlainFails: what failed is said, and all can be tried again.
func TestPlainFails(t *testing.T) {
	t.Parallel()
	f := &noteFlow{dir: t.TempDir(), name: "todo", text: "fail", profile: "x"}
	out, err := plainRun(t, f, "", "", "", "", "", "", "", "1", "", "y", "y", "<", "<", "", "", "", "y", "n")
	if err == nil || !strings.Contains(err.Error(), "disk full") || f.ran != 2 {
		t.Errorf("ran %d times: %v", f.ran, err)
	}
	checkSaid(t, out, "done: half of it", "It did not work.", "error: cannot write the note", "hint: make room", "Back to the questions? [y/N]: ")
}

// TestPlainPassphrase is asked for by whoever can do so without echo.
func TestPlainPassphrase(t *testing.T) {
	t.Parallel()
	for _, given := range []string{"environment", "terminal", "nobody"} {
		f := &noteFlow{dir: t.TempDir(), name: "todo", secret: "new"}
		w := plainWorld()
		switch given {
		case "environment":
			w.GivenPassphrase = func(string) ([]byte, error) { return []byte(given), nil }
		case "terminal":
			w.AskPassphrase = func(_ context.Context, name string, isNew bool) ([]byte, error) {
				if !isNew || !strings.Contains(name, "ca.key") {
					t.Errorf("asked for %s, new %v", name, isNew)
				}
				return []byte(given), nil
			}
		}
		answers := strings.Repeat("\n", 7) + "1\n\ny\n"
		err := formPlain(t.Context(), w, f, strings.NewReader(answers), io.Discard)
		if given == "nobody" {
			if !errors.Is(err, ca.ErrNoPassphrase) {
				t.Errorf("%s: %v", given, err)
			}
			continue
		}
		if err != nil || string(f.got) != given {
			t.Errorf("%s: %q, %v", given, f.got, err)
		}
	}
}

// TestPlainInterrupted: ctx ends a question; the line that comes later is the next
// question's.
func TestPlainInterrupted(t *testing.T) {
	t.Parallel()
	w := plainWorld()
	in, typist := io.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	asked := make(chan struct{})
	go func() {
		<-asked
		cancel()
	}()
	err := formPlain(ctx, w, &noteFlow{dir: t.TempDir()}, in, &closeAt{words: "Name, required", then: asked})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("it ended with %v", err)
	}
	go func() { _, _ = io.WriteString(typist, "ahead\n") }()
	if line, err := w.answersFrom(in).line(t.Context()); line != "ahead" || err != nil {
		t.Errorf("the next line: %q, %v", line, err)
	}
}

// closeAt closes a channel when words are written.
type closeAt struct {
	words string
	then  chan struct{}
	seen  bool
}

func (c *closeAt) Write(p []byte) (int, error) {
	if !c.seen && strings.Contains(string(p), c.words) {
		c.seen = true
		close(c.then)
	}
	return len(p), nil
}

// TestPlainHostile: a screen reader's terminal is a terminal too.
func TestPlainHostile(t *testing.T) {
	t.Parallel()
	f := &hostileFlow{}
	w := plainWorld()
	w.AskPassphrase = func(context.Context, string, bool) ([]byte, error) { return []byte("secret"), nil }
	var out bytes.Buffer
	// Nothing passes this flow's checks.
	err := formPlain(t.Context(), w, f, strings.NewReader("\n?\n<\nx\n"+strings.Repeat("y", 2*maxAnswer)+"\n"), &out)
	if !errors.Is(err, io.EOF) {
		t.Errorf("it ended with %v", err)
	}
	p := &plainForm{world: w, plainTalk: w.talk(nil, &out), flow: f}
	j := p.job(t.Context())
	r, _ := f.review(t.Context(), j)
	p.sayReview(r)
	o, _ := f.run(t.Context(), j)
	p.sayOutcome(o)
	p.sayError(failure.New(failure.Failed, hostile, "%s", hostile))
	if strings.ContainsAny(out.String(), "\x1b\a\r\t\u202e\u200b\u2066\u009b") {
		t.Error("something raw was said")
	}
	checkSaid(t, out.String(), "That is too long.")
}

// TestPlainLaterAnswer: an answer that a later one has made wrong is asked for again.
func TestPlainLaterAnswer(t *testing.T) {
	t.Parallel()
	f := &noteFlow{dir: t.TempDir(), name: "todo", profile: "x"}
	out, err := plainRun(t, f, "", "", "", "", "", "", "y", "x", "1", "", "todo", "todo2", "", "", "", "", "", "", "", "", "", "", "y")
	if err != nil || f.name != "todo2" || f.ran != 1 {
		t.Errorf("name %q, ran %d times, %v, after:\n%s", f.name, f.ran, err, out)
	}
	checkSaid(t, out, `error: the name "todo" is that of the extra too`)
}
