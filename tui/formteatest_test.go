package tui

import (
	"os"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
)

// TestFormInAProgram goes the whole way in a Bubble Tea program.
func TestFormInAProgram(t *testing.T) {
	t.Parallel()
	f := &noteFlow{dir: t.TempDir(), secret: "old"}
	p := runFlow(t, &world{Options: Options{Program: "pkictl", Now: time.Now}, theme: newTheme(true)}, f)
	p.shows("step 1 of 2")
	p.press("todo", "tab", "buy bread", "pgdown", "enter")
	p.shows("cluster-05")
	p.press("tab", "enter")
	p.shows("Write it?")
	p.press("y")
	p.shows("Enter the passphrase of")
	p.press("hunter2", "enter")
	p.shows("is written")
	p.Send(tea.WindowSizeMsg{Width: 60, Height: 16})
	p.quit()
	if data, err := os.ReadFile(f.path()); err != nil || string(data) != "buy bread\n" {
		t.Errorf("the note: %q, %v", data, err)
	}
}
