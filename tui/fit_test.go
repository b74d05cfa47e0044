package tui

import (
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"
)

// checkFits fails where a screen draws more lines or cells than it has at the
// sizes that the wizard serves.
func checkFits(t *testing.T, s screen) {
	t.Helper()
	for _, size := range [][2]int{{60, 12}, {80, 20}, {100, 30}, {200, 56}, {300, 76}} {
		lines := strings.Split(strings.TrimRight(s.View(size[0], size[1]), "\n"), "\n")
		if len(lines) > size[1] {
			t.Errorf("%s at %dx%d draws %d lines", s.Title(), size[0], size[1], len(lines))
		}
		for i, line := range lines {
			if width := ansi.StringWidth(line); width > size[0] {
				t.Errorf("%s at %dx%d: line %d has %d cells: %q", s.Title(), size[0], size[1], i, width, ansi.Strip(line))
			}
		}
	}
}
