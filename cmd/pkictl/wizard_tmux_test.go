//go:build unix

package main_test

import (
	"os"
	"testing"
)

// checkNoFiles fails where there is anything in the terminal's directory.
func (m *tmux) checkNoFiles() {
	m.t.Helper()
	entries, err := os.ReadDir(m.dir)
	if err != nil {
		m.t.Fatal(err)
	}
	for _, entry := range entries {
		m.t.Errorf("%s was left", entry.Name())
	}
}

// TestWizardCtrlC ends the wizard on its first screen, in an empty directory.
func TestWizardCtrlC(t *testing.T) {
	t.Parallel()
	m := startTmux(t, 80, 24)
	m.wizard()
	m.waitFor("pkictl › Home")
	m.keys("C-c")
	m.waitFor("ended: 0")
	m.checkUsable()
	m.checkNoFiles()
}
