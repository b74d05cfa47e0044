package tui

import (
	"bytes"
	"context"
	"os"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/exp/teatest/v2"
)

// TestFormInAProgram goes the whole way in a Bubble Tea program, by what it writes
// to its terminal.
func TestFormInAProgram(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	f := &noteFlow{dir: t.TempDir(), secret: "old"}
	w := &world{Options: Options{Program: "pkictl", Now: time.Now}, ctx: ctx, theme: newTheme(true)}
	r := newRoot(w, newHome(w))
	r.stack = append(r.stack, newForm(w, f))
	tm := teatest.NewTestModel(t, r, teatest.WithInitialTermSize(100, 30))
	w.send = tm.Send
	shows := func(words string) {
		t.Helper()
		teatest.WaitFor(t, tm.Output(), func(out []byte) bool { return bytes.Contains(out, []byte(words)) }, teatest.WithDuration(time.Minute))
	}
	press := func(keys ...string) {
		for _, k := range keys {
			for _, msg := range keyMessages(k) {
				tm.Send(msg)
			}
		}
	}
	shows("step 1 of 2")
	press("todo", "tab", "buy bread", "pgdown", "enter")
	shows("cluster-05")
	press("tab", "enter")
	shows("Write it?")
	press("y")
	shows("Enter the passphrase of")
	press("hunter2", "enter")
	shows("is written")
	tm.Send(tea.WindowSizeMsg{Width: 60, Height: 16})
	press("ctrl+c")
	tm.WaitFinished(t, teatest.WithFinalTimeout(time.Minute))
	if data, err := os.ReadFile(f.path()); err != nil || string(data) != "buy bread\n" {
		t.Errorf("the note: %q, %v", data, err)
	}
}
