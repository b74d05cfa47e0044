package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestWizardAsksForAPassphrase makes an encrypted CA in plain lines: what was typed
// ahead is not lost, and the passphrase is asked for without echo.
func TestWizardAsksForAPassphrase(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := newTerminal(t)
	cmd := p.start(program(dir, "wizard", "--accessible"))
	_, err := p.control.WriteString("1\n" + strings.Repeat("\n", 9) + "y\ny\n") // all defaults, but the key is encrypted
	ok(t, err)
	p.answer(askNewKey, "correct horse\n")
	p.answer(askAgain, "correct horse\n")
	p.waitFor("the end of the flow", func() bool { return strings.Contains(p.text(), "Made a certificate authority") })
	_, err = p.control.WriteString("q\n")
	ok(t, err)
	p.ends(cmd, 0, "correct horse")
	key, err := os.ReadFile(filepath.Join(dir, "pki", "ca.key"))
	ok(t, err)
	if !strings.Contains(string(key), "ENCRYPTED PRIVATE KEY") {
		t.Error("the key is not encrypted")
	}
}
