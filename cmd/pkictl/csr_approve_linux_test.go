package main_test

import (
	"strings"
	"testing"

	"github.com/pkictl/pkictl/csr"
)

// question waits for a question on the terminal, and types.
func (p *pseudoTerminal) question(text, answer string) {
	p.t.Helper()
	p.waitFor(text, func() bool { return strings.HasSuffix(p.text(), text+" [y/N] ") })
	_, err := p.control.WriteString(answer)
	ok(p.t, err)
}

// TestCSRApproveAsks: the review is shown before the question, also of what is
// dangerous; no is no, and what took the name meanwhile is not what was shown.
func TestCSRApproveAsks(t *testing.T) {
	t.Parallel()
	c := sharedCluster(t)
	c.asAdmin("create clusterrolebinding asks-root --clusterrole=cluster-admin --user=asks-root")
	start := func(t *testing.T, args ...string) (*pseudoTerminal, func(code int) string) {
		p := newTerminal(t)
		cmd := p.start(program(c.dir, append([]string{"csr", "approve", "--kubeconfig", c.admin}, args...)...))
		return p, func(code int) string { return p.ends(cmd, code) }
	}
	tests := []struct {
		name, answer string
		code         int
		between      func(t *testing.T, name string)
		want         string
		state        csr.State
	}{
		{"asks-yes", "y\n", 0, nil, "Approved asks-yes", csr.StateApproved},
		{"asks-root", "yes\n", 0, nil, "CONCERN: they could do everything", csr.StateApproved},
		{"asks-no", "n\n", 4, nil, "the answer was not yes", csr.StatePending},
		{"asks-enter", "\n", 4, nil, "the answer was not yes", csr.StatePending},
		{"asks-end", "y\x04\x04", 4, nil, "the answer was not yes", csr.StatePending},
		{"asks-anew", "y\n", 1, func(t *testing.T, name string) {
			c.asAdmin("delete csr " + name)
			c := realCluster{userDir: userDir{t, c.dir}, admin: c.admin}
			c.pending(name)
		}, "there is another of that name now", csr.StatePending},
		{"asks-denied", "y\n", 4, func(_ *testing.T, name string) { c.asAdmin("certificate deny " + name) }, "it was denied (KubectlDeny", csr.StateDenied},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c.pending(test.name)
			p, end := start(t, test.name)
			p.waitFor("the question", func() bool { return strings.Contains(p.text(), "?") && strings.HasSuffix(p.text(), "[y/N] ") })
			if test.between != nil {
				test.between(t, test.name)
			}
			p.question("Approve "+test.name+"?", test.answer)
			shown := end(test.code)
			contains(t, shown, test.want, "What it would allow:", "A certificate cannot be taken back")
			if state := c.state(test.name); state != test.state {
				t.Errorf("it is %s", state)
			}
		})
	}
	t.Run("several", func(t *testing.T) {
		t.Parallel()
		c.asAdmin("create clusterrolebinding asks-several-2 --clusterrole=cluster-admin --user=asks-several-2")
		c.pending("asks-several-1", "asks-several-2", "asks-several-3")
		p, end := start(t, "--all", "--matching", "asks-several-*")
		p.question("Approve 2 certificate signing requests?", "y\n")
		shown := end(4)
		contains(t, shown, "left out: certificate signing request \"asks-several-2\" is not approved without being looked at", "for asks-several-1, in approve-group",
			"allows nothing yet", "Approved asks-several-1", "Approved asks-several-3", "1 of 3 certificate signing requests: could not approve")
		if state := c.state("asks-several-2"); state != csr.StatePending {
			t.Errorf("it is %s", state)
		}
	})
}
