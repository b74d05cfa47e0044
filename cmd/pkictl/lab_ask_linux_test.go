package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestLabAsks: the solution and a reset are asked for on a terminal, and no answer is
// a no.
func TestLabAsks(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, question, answer string
		args                   []string
		code                   int
		want                   string
	}{
		{"give up", "Give up and show the solution? [y/N] ", "y\n", []string{"solution", "cluster-ca"}, 0, "# With the usual tools"},
		{"do not give up", "Give up and show the solution? [y/N] ", "\n", []string{"solution", "cluster-ca"}, 4, "so nothing was changed"},
		{"reset", "Begin lab cluster-ca anew? [y/N] ", "yes\n", []string{"reset", "cluster-ca"}, 0, "Lab cluster-ca begins anew in "},
		{"no reset", "Begin lab cluster-ca anew? [y/N] ", "n\n", []string{"reset", "cluster-ca"}, 4, "so nothing was changed"},
		{"finish", "End the exam now? [y/N] ", "y\n", []string{"exam", "finish"}, 3, "Not passed: 0 %"},
		{"do not finish", "End the exam now? [y/N] ", "\x04", []string{"exam", "finish"}, 4, "so nothing was changed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w, p, space := watched(t, 50)
			work := filepath.Join(space, "notes")
			ok(t, os.WriteFile(work, []byte("mine"), 0o600))
			if test.args[0] == "exam" {
				if out, err := labCommand(w, "exam", "start", "--minutes", "15").CombinedOutput(); err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
			}
			cmd := p.start(labCommand(w, test.args...))
			p.waitFor("the question", func() bool { return strings.HasSuffix(p.text(), test.question) })
			_, err := p.control.WriteString(test.answer)
			ok(t, err)
			if shown := p.ends(cmd, test.code); !strings.Contains(shown, test.want) {
				t.Errorf("no %q in\n%s", test.want, shown)
			}
			if _, err := os.Stat(work); (err == nil) != (test.name != "reset") {
				t.Errorf("the work: %v", err)
			}
			for line := range strings.Lines(p.text()) {
				if len([]rune(strings.TrimRight(line, "\r\n"))) > 300 {
					t.Errorf("a line is very long: %q", line)
				}
			}
		})
	}
}
