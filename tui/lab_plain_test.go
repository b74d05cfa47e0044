package tui

import (
	"bytes"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// labPlainRun answers the prompts with lines, and returns what was said. do runs
// when an answer is asked for that is a function.
func labPlainRun(t *testing.T, w *world, answers ...any) (string, error) {
	t.Helper()
	var out bytes.Buffer
	err := labsPlain(t.Context(), w, &labPlainAnswers{answers: answers}, &out)
	for _, raw := range []string{"\x1b", "\r", "\u202e"} {
		if strings.Contains(out.String(), raw) {
			t.Errorf("%q was said", raw)
		}
	}
	return out.String(), err
}

// labPlainAnswers are lines, and functions that are called when it is their turn.
type labPlainAnswers struct{ answers []any }

func (a *labPlainAnswers) Read(p []byte) (int, error) {
	for len(a.answers) > 0 {
		answer := a.answers[0]
		a.answers = a.answers[1:]
		switch answer := answer.(type) {
		case func():
			answer()
		case string:
			return copy(p, answer+"\n"), nil
		}
	}
	return 0, io.EOF
}

func labWantAll(t *testing.T, said string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(said, want) {
			t.Errorf("nothing says %q in\n%s", want, said)
		}
	}
}

func TestLabsPlain(t *testing.T) {
	t.Parallel()
	dir, clock := labTestDir(t), newLabTestClock()
	l := labTestNamed(t, labTestID)
	work := filepath.Join(dir, labTestID)
	said, err := labPlainRun(t, labTestWorld(t, dir, clock),
		"The CA of a cluster", "1", "", // not started
		"nonsense that nothing has", "", "99", "The CA of a cluster", "1", "y",
		"1", "3", "2", "6", "8", "m", func() { labTestSolve(t, l, work); clock.goOn(90 * time.Second) }, "1",
		"5", "n", "4", "5", "y", "1", "", "", "")
	if err != nil {
		t.Fatal(err)
	}
	labWantAll(t, said, "new, 0 of 10 points", "No lab has that", "There is no number 99.", "Task 1 of 3:", "Directory: "+work,
		"failed, 0 of 1 point: pki/ca.crt has the common name", "   found: no file pki/ca.crt", "0 of 10 points.",
		"Hint 1 of 3:", "Answer with a number from 1 to 7, or m.", "passed, 2 points: ", "10 of 10 points.", "Done: all 7 checks pass, in 01:30.",
		"With the usual tools:", "pkictl init-ca", "The lab begins anew.", "The CA of a cluster: passed, 10 of 10 points")
	if p := labTestProgress(t, dir, labTestID); p.GaveUp || p.Hints != 1 || p.Spent != 90*time.Second || p.Points != 10 {
		t.Errorf("kept is %+v", p)
	}
}

// The end of input is no consent, and no success.
func TestLabsPlainEnds(t *testing.T) {
	t.Parallel()
	for _, answers := range [][]any{{}, {"1"}, {"1", "y"}, {"1", "y", "4"}, {"e"}, {"e", "1"}, {"e", "1", "x"}} {
		dir := labTestDir(t)
		if _, err := labPlainRun(t, labTestWorld(t, dir, newLabTestClock()), answers...); err == nil {
			t.Errorf("%v: no error", answers)
		}
		if p := labTestProgress(t, dir, "key-and-csr"); p.GaveUp {
			t.Errorf("%v has given up", answers)
		}
	}
}

func TestExamPlain(t *testing.T) {
	t.Parallel()
	dir, clock := labTestDir(t), newLabTestClock()
	said, err := labPlainRun(t, labTestWorld(t, dir, clock), "exam", "9", "e", "4", "f2", "2", "", "f99", "", "e", "x", "n", "x", "y", "")
	if err != nil {
		t.Fatal(err)
	}
	labWantAll(t, said, "67 % of the points pass", "There is no number 9.", "4. At most 120 minutes. About ", " percent, flagged", "Task 2 of ",
		"There is no task f99.", "Finish the exam?", "not passed: 0 percent of the points, where 67 percent pass.", "failed, 0 of ")

	said, err = labPlainRun(t, labTestWorld(t, dir, clock), "e", "1", func() { clock.goOn(24 * time.Hour) }, "1", "")
	if err != nil {
		t.Fatal(err)
	}
	labWantAll(t, said, "The last one: 0 percent, not passed.", "The time is over.", "not passed: 0 percent")
}
