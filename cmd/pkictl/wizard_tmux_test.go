//go:build unix

package main_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/pkictl/pkictl/ca"
)

// checkNoFiles fails where there is anything in the terminal's directory.
func (m *tmux) checkNoFiles() {
	m.t.Helper()
	entries, err := os.ReadDir(m.dir)
	ok(m.t, err)
	for _, entry := range entries {
		m.t.Errorf("%s was left", entry.Name())
	}
}

// open opens one of the ways on of the first screen by searching for it.
func (m *tmux) open(search, title string) {
	m.t.Helper()
	m.waitFor("What would you like to do?")
	m.text(search)
	m.waitFor("❯", title)
	m.keys("Enter")
	m.waitFor("pkictl › " + title)
}

// toLabs goes to the catalogue of labs, and waits for it to be loaded.
func (m *tmux) toLabs() {
	m.t.Helper()
	m.open("labs", "Practice labs")
	m.waitFor("labs passed")
}

// TestWizardCtrlC ends the wizard on every kind of screen, in an empty directory:
// nothing is left there, and the terminal is as it was.
func TestWizardCtrlC(t *testing.T) {
	t.Parallel()
	for name, reach := range map[string]func(*tmux){
		"home":       func(m *tmux) { m.waitFor("What would you like to do?") },
		"keys":       func(m *tmux) { m.waitFor("What would you like to do?"); m.keys("F1"); m.waitFor("Keys of Home") },
		"search":     func(m *tmux) { m.waitFor("What would you like to do?"); m.text("inv"); m.waitFor("Inventory") },
		"form":       func(m *tmux) { m.open("authority", "Certificate authority") },
		"user":       func(m *tmux) { m.open("user for", "User for a cluster") },
		"cluster":    func(m *tmux) { m.open("cluster pki", "Cluster PKI") },
		"audit":      func(m *tmux) { m.open("audit", "Audit policy") },
		"apiserver":  func(m *tmux) { m.open("api server", "API server") },
		"inventory":  func(m *tmux) { m.open("inventory", "Inventory") },
		"labs":       func(m *tmux) { m.open("labs", "Practice labs") },
		"lab":        func(m *tmux) { m.toLab(); m.waitFor("enter start") },
		"exam":       func(m *tmux) { m.toLabs(); m.keys("C-x"); m.waitFor("› Exam", "67 %") },
		"review":     func(m *tmux) { m.toReview() },
		"explain":    func(m *tmux) { m.toReview(); m.text("e"); m.waitFor("openssl") },
		"passphrase": func(m *tmux) { m.toPassphrase() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := startTmux(t, 80, 24)
			m.wizard()
			reach(m)
			m.keys("C-c")
			m.waitFor("ended: 0")
			m.checkUsable()
			m.checkNoFiles()
		})
	}
}

// TestWizardCtrlCBehindALab ends the wizard with a lab open, and one in the details
// of a certificate: what is there stays as it was.
func TestWizardCtrlCBehindALab(t *testing.T) {
	t.Parallel()
	m := startTmux(t, 80, 24)
	shell(t, m.dir, "pkictl init-ca -q && pkictl issue -q --cn jane --group developers")
	for _, reach := range []func(){
		func() { m.toLab(); m.keys("Enter"); m.waitFor("started", "Checks 0/") },
		func() {
			m.open("inventory", "Inventory")
			m.waitFor("jane")
			m.keys("Enter")
			m.waitFor("O=developers,CN=jane")
		},
	} {
		before := shell(t, m.dir, "sha256sum pki/*")
		m.text("clear")
		m.keys("Enter")
		m.wizard()
		reach()
		m.keys("C-c")
		m.waitFor("ended: 0")
		m.checkUsable()
		if after := shell(t, m.dir, "sha256sum pki/*"); after != before {
			t.Errorf("before:\n%s\nafter:\n%s", before, after)
		}
	}
	shell(t, m.dir, "test -f pkictl-labs/cluster-ca/.pkictl-lab.json")
}

// toLab goes to the page of a lab that was not begun.
func (m *tmux) toLab() {
	m.t.Helper()
	m.toLabs()
	m.text("the ca of")
	m.waitFor("› ○ new      The CA of a cluster")
	m.keys("Enter")
	m.waitFor("› The CA of a cluster")
}

// toPassphrase goes through the flow for a root CA with an encrypted key, up to
// the question for its passphrase, and types half of one.
func (m *tmux) toPassphrase() {
	m.t.Helper()
	m.open("authority", "Certificate authority")
	for screen := m.screen(); !strings.Contains(screen, "› Encrypt the key?"); {
		m.keys("Enter")
		screen = m.waitForOther(screen)
	}
	m.text("y")
	m.waitFor("--encrypt-key")
	m.keys("Enter")
	m.waitFor("› Review", "[ No ]")
	m.text("y")
	m.waitFor("assphrase of")
	m.text("three words")
	if strings.Contains(m.waitFor("assphrase of"), "three") {
		m.t.Error("the passphrase is on the screen")
	}
}

// toReview goes through the flow for a root CA with its defaults.
func (m *tmux) toReview() {
	m.t.Helper()
	m.open("authority", "Certificate authority")
	for screen := m.screen(); !strings.Contains(screen, "› Review"); {
		m.keys("Enter")
		screen = m.waitForOther(screen)
	}
	m.waitFor("› Review", "pki/ca.key", "[ No ]")
}

// TestWizardMakesCA is a whole flow in the real program, with its real result.
func TestWizardMakesCA(t *testing.T) {
	t.Parallel()
	m := startTmux(t, 100, 30)
	m.wizard()
	m.toReview()
	m.waitFor("$ pkictl init-ca")
	m.checkNoFiles() // nothing before the answer
	m.text("y")
	m.waitFor("Made", "pki/ca.crt", "What to do now")
	m.keys("Escape")
	m.waitFor("What would you like to do?", "KUBERNETES-CA")
	m.keys("Escape")
	m.waitFor("ended: 0")
	m.checkUsable()
	authority, err := ca.Open(m.dir + "/pki")
	ok(t, err)
	defer authority.Close()
	shell(t, m.dir, "openssl verify -CAfile pki/ca.crt pki/ca.crt && pkictl verify pki/ca.crt && pkictl list | grep -q KUBERNETES-CA")
}

// TestWizardResize draws the first screen and a form at every size, smaller than
// it serves and back, and loses nothing that was typed.
func TestWizardResize(t *testing.T) {
	t.Parallel()
	m := startTmux(t, 80, 24)
	m.wizard()
	m.open("user for", "User for a cluster")
	for _, size := range [][2]int{{60, 16}, {300, 80}, {59, 16}, {60, 15}, {20, 5}, {1, 1}, {200, 50}, {80, 24}} {
		m.resize(size[0], size[1])
		if size[0] >= 60 && size[1] >= 16 {
			m.waitFor("User for a cluster", "ctrl+c quit")
		}
		for i, line := range strings.Split(strings.TrimRight(m.screen(), "\n"), "\n") {
			if i >= size[1] {
				t.Errorf("%dx%d: line %d: %q", size[0], size[1], i, line)
			}
		}
	}
	m.resize(30, 10)
	m.waitFor("60")
	m.resize(80, 24)
	m.waitFor("User for a cluster")
	m.keys("C-c")
	m.waitFor("ended: 0")
	m.checkUsable()
}

// TestWizardWithoutColour sees no colour with NO_COLOR, and colours of 256 without.
func TestWizardWithoutColour(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		env    []string
		colour bool
	}{{[]string{"TERM=tmux-256color"}, true}, {[]string{"TERM=tmux-256color", "NO_COLOR=1"}, false}} {
		t.Run(fmt.Sprint(test.env), func(t *testing.T) {
			t.Parallel()
			m := startTmux(t, 80, 24, test.env...)
			m.wizard()
			m.waitFor("What would you like to do?")
			if has := strings.Contains(m.styled(), "\x1b[38;5;"); has != test.colour {
				t.Errorf("colours: %v\n%q", has, m.styled())
			}
			m.keys("C-c")
			m.waitFor("ended: 0")
		})
	}
}
