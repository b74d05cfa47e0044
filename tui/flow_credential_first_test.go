package tui

import (
	"path/filepath"
	"testing"

	"github.com/pkictl/pkictl/ca"
)

// TestFlowCredentialFirst: without a CA, making one is offered first; with one
// the questions come at once.
func TestFlowCredentialFirst(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	makeCA(t, anHourAgo(), ca.InitOptions{Dir: filepath.Join(root, "pki")})
	for _, each := range []struct {
		dir   string
		keys  []string
		title string
	}{
		{"pki", nil, "For whom?"},
		{"none", []string{"enter"}, "What do you want?"},
		{"none", []string{"down", "enter"}, "For whom?"},
	} {
		d := newFormDriver(t, func(w *world) screen {
			w.Dir = filepath.Join(root, each.dir)
			return newFlowCredentialFirst(w)
		})
		if len(each.keys) > 0 {
			d.shows("There is no certificate authority in")
			d.checkFits()
		}
		d.press(each.keys...)
		d.shows(each.title)
	}
}
