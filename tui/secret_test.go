package tui

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"

	"github.com/pkictl/pkictl/internal/failure"
)

func toPrompt(t *testing.T, f *noteFlow) *formDriver {
	t.Helper()
	f.dir, f.name = t.TempDir(), "todo"
	d := newFormDriver(t, openNote(f))
	d.press("pgdown", "enter", "tab", "enter")
	d.shows("Write it?")
	d.press("y")
	d.until("a prompt", func() bool { p, ok := d.root.top().(*workingScreen); return ok && p.isTyping() })
	return d
}

func (d *formDriver) prompt() *secretPrompt { return d.root.top().(*workingScreen).work.secret }

// TestSecretIsCleared types a passphrase, which is on no picture and nowhere in
// memory of the screen afterwards.
func TestSecretIsCleared(t *testing.T) {
	t.Parallel()
	f := &noteFlow{secret: "old"}
	d := toPrompt(t, f)
	d.shows(`Enter the passphrase of key "pki/ca.key"`)
	p := d.prompt()
	typed := p.typed[:cap(p.typed)]
	for i, k := range []string{"h", "unt", "ßé", "backspace", "é"} {
		d.press(k)
		if view := d.view(); strings.Contains(view, "hunt") || strings.Contains(view, "ß") || strings.Count(view, "•") != 8 {
			t.Errorf("after key %d:\n%s", i, view)
		}
	}
	d.update(tea.PasteMsg{Content: "er2\r\nnot this"})
	if !bytes.HasPrefix(typed, []byte("huntßéer2")) {
		t.Fatalf("it is not typed where it is looked for: %q", typed[:20])
	}
	d.press("enter")
	d.on("Done")
	if len(bytes.Trim(typed, "\x00")) != 0 {
		t.Error("what was typed is still there")
	}
	if string(f.got) != "huntßéer2" {
		t.Errorf("the passphrase that came: %q", f.got)
	}
}

// TestSecretNew: twice the same, and long enough.
func TestSecretNew(t *testing.T) {
	t.Parallel()
	f := &noteFlow{secret: "new"}
	d := toPrompt(t, f)
	p := d.prompt()
	d.press("enter")
	d.shows("type it, or press esc")
	d.press("seven77", "enter")
	d.shows("8 characters or more")
	d.press("eightccc", "enter")
	d.shows("The same again")
	first := p.first
	d.press("eightccd", "enter")
	d.shows("the two differ")
	if len(bytes.Trim(first, "\x00")) != 0 {
		t.Error("the first is still there")
	}
	d.press("eightccc", "enter", "eightccc", "enter")
	d.on("Done")
	if string(f.got) != "eightccc" {
		t.Errorf("the passphrase that came: %q", f.got)
	}
}

func TestSecretNone(t *testing.T) {
	t.Parallel()
	f := &noteFlow{secret: "old"}
	d := toPrompt(t, f)
	p := d.prompt()
	typed := p.typed[:cap(p.typed)]
	d.press("half", "esc")
	d.on("Not done")
	d.shows(`no passphrase of key "pki/ca.key" was entered`)
	if len(bytes.Trim(typed, "\x00")) != 0 {
		t.Error("what was typed is still there")
	}
	if f.gotErr == nil || failure.HintOf(f.gotErr) != "run it again, and type it" {
		t.Errorf("the function was told: %v", f.gotErr)
	}
}

// TestSecretQuit: the program ends while it asks.
func TestSecretQuit(t *testing.T) {
	t.Parallel()
	f := &noteFlow{secret: "old"}
	d := toPrompt(t, f)
	typed := d.prompt().typed
	typed = typed[:cap(typed)]
	d.press("half", "ctrl+c")
	d.until("the end", func() bool { return d.quit })
	if len(bytes.Trim(typed, "\x00")) != 0 {
		t.Error("what was typed is still there")
	}
	if f.gotErr == nil || !strings.Contains(f.gotErr.Error(), "interrupted while asking") {
		t.Errorf("the function was told: %v", f.gotErr)
	}
}

// TestSecretGiven: nobody is asked for what the environment gives.
func TestSecretGiven(t *testing.T) {
	t.Parallel()
	for _, err := range []error{nil, errors.New("no such file")} {
		f := &noteFlow{secret: "old", dir: t.TempDir(), name: "todo"}
		d := newFormDriver(t, openNote(f))
		d.w.GivenPassphrase = func(string) ([]byte, error) {
			if err != nil {
				return nil, err
			}
			return []byte("from a file"), nil
		}
		d.press("pgdown", "enter", "tab", "enter")
		d.shows("Write it?")
		d.press("y")
		if err != nil {
			d.shows("no such file")
		} else if d.on("Done"); string(f.got) != "from a file" {
			t.Errorf("came: %q", f.got)
		}
	}
}

// TestSecretLong keeps to its room.
func TestSecretLong(t *testing.T) {
	t.Parallel()
	p := newSecretPrompt(&secretAsk{name: "PKCS#11 token", reply: make(chan secretReply, 1)})
	p.paste(tea.PasteMsg{Content: strings.Repeat("x", maxSecret)})
	p.paste(tea.PasteMsg{Content: "y"})
	if p.note == "" || len(p.typed) != maxSecret || cap(p.typed) != maxSecret {
		t.Errorf("note %q, %d of %d", p.note, len(p.typed), cap(p.typed))
	}
	if !strings.HasPrefix(p.ask.what(), "PIN of") {
		t.Errorf("asked for the %s", p.ask.what())
	}
	p.press(tea.KeyPressMsg{Code: tea.KeyEscape})
	if got := <-p.ask.reply; got.err == nil {
		t.Error("no answer is an answer")
	}
}
