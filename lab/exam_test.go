package lab_test

import (
	"bufio"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/lab"
)

// newExam begins one of all labs that need nothing.
func newExam(t *testing.T, root string) *lab.Session {
	t.Helper()
	s, err := lab.NewExam(t.Context(), lab.ExamOptions{Root: root, Now: time.Now(), Minutes: 10_000, Random: rand.New(rand.NewPCG(1, 2))})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func solve(t *testing.T, s *lab.Session, id string) {
	t.Helper()
	w, err := s.Workspace(id)
	if err != nil {
		t.Fatal(err)
	}
	run(t, w, w.Lab.Solution.Tools)
}

func TestExam(t *testing.T) {
	t.Parallel()
	root := filepath.Join(t.TempDir(), "labs")
	if _, err := lab.ResumeExam(root, nil); !errors.Is(err, lab.ErrNoExam) {
		t.Errorf("%v", err)
	}
	practised := startNamed(t, root, "cluster-ca")
	run(t, practised, practised.Lab.Solution.Tools)
	s := newExam(t, root)
	exam := s.Exam()
	sum, minutes := 0, 0
	for _, task := range exam.Tasks {
		l, err := lab.Named(task.Lab)
		if err != nil {
			t.Fatal(err)
		}
		sum, minutes = sum+task.Weight, minutes+l.Minutes
		if task.Total != l.Points() || task.Points != 0 || task.Domain != l.Domain {
			t.Errorf("%+v", task)
		}
	}
	if sum != 100 || exam.EndsAt.Sub(exam.StartedAt) != time.Duration(minutes)*time.Minute {
		t.Errorf("weights of %d percent, %v for %d minutes", sum, exam.EndsAt.Sub(exam.StartedAt), minutes)
	}
	if _, err := lab.NewExam(t.Context(), lab.ExamOptions{Root: root, Now: now}); failure.KindOf(err) != failure.Refused {
		t.Errorf("a second exam: %v", err)
	}
	during := exam.StartedAt.Add(time.Minute)
	if left := s.Remaining(during); left != exam.EndsAt.Sub(during) {
		t.Errorf("%v are left", left)
	}
	// What was made in practice does not count.
	result, err := s.Grade(t.Context(), "cluster-ca", during)
	if err != nil || result.Points != 0 {
		t.Errorf("%+v %v", result, err)
	}
	solve(t, s, "cluster-ca")
	if result, err = s.Grade(t.Context(), "cluster-ca", during); err != nil || !result.Passed() {
		t.Errorf("%+v %v", result, err)
	}
	if err := s.Flag(t.Context(), "key-and-csr", true, during); err != nil {
		t.Error(err)
	}
	if err := s.Flag(t.Context(), "no-such-lab", true, during); failure.KindOf(err) != failure.Usage {
		t.Errorf("%v", err)
	}
	resumed, err := lab.ResumeExam(root, nil)
	if err != nil || !reflect.DeepEqual(resumed.Exam().Tasks, s.Exam().Tasks) || !resumed.Exam().EndsAt.Equal(exam.EndsAt) {
		t.Fatalf("%+v %v", resumed, err)
	}
	solve(t, resumed, "key-and-csr")
	report, err := resumed.Finish(t.Context(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	want := 0
	for _, task := range report.Tasks {
		if task.Points == task.Total {
			want += task.Weight
		}
		if solved := task.Lab == "cluster-ca" || task.Lab == "key-and-csr"; solved != (task.Points == task.Total) || task.Flagged != (task.Lab == "key-and-csr") {
			t.Errorf("%+v", task)
		}
	}
	if report.Score != want || report.Passed != (want >= lab.PassMark) || report.PassMark != 67 {
		t.Errorf("%+v, want %d percent", report, want)
	}
	// It is over, for this session too.
	if err := s.Flag(t.Context(), "cluster-ca", true, time.Now()); failure.KindOf(err) != failure.Refused {
		t.Errorf("%v", err)
	}
	if again, err := s.Finish(t.Context(), time.Now().Add(time.Hour)); err != nil || again.Score != report.Score || again.Took != report.Took {
		t.Errorf("%+v %v", again, err)
	}
	if s.Remaining(during) != 0 {
		t.Error("there is time left")
	}
	next := newExam(t, root)
	if result, err := next.Grade(t.Context(), "cluster-ca", time.Now()); err != nil || result.Points != 0 {
		t.Errorf("the next exam: %+v %v", result, err)
	}
	if _, err := s.Finish(t.Context(), time.Now()); failure.KindOf(err) != failure.Refused {
		t.Errorf("an exam that another has replaced: %v", err)
	}
}

// TestExamTooLate: what is made when the time is up does not count, and what was made
// before does, whenever it is finished.
func TestExamTooLate(t *testing.T) {
	t.Parallel()
	s := newExam(t, t.TempDir())
	ends := s.Exam().EndsAt
	for _, id := range []string{"cluster-ca", "key-and-csr", "admin-credential"} {
		solve(t, s, id)
	}
	if _, err := s.Grade(t.Context(), "key-and-csr", time.Now()); err != nil {
		t.Fatal(err)
	}
	for id, file := range map[string]string{"key-and-csr": "orders.csr", "admin-credential": "admin.crt"} {
		w, err := s.Workspace(id)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(filepath.Join(w.Dir, file), ends, ends.Add(time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Grade(t.Context(), "cluster-ca", ends.Add(time.Second)); failure.KindOf(err) != failure.Refused {
		t.Errorf("%v", err)
	}
	// Nothing is opened, and no cluster started, for what would not count.
	if err := os.Rename(s.Exam().Tasks[0].Dir, s.Exam().Tasks[0].Dir+".away"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Grade(t.Context(), s.Exam().Tasks[0].Lab, ends.Add(time.Second)); failure.KindOf(err) != failure.Refused {
		t.Errorf("%v", err)
	}
	if err := os.Rename(s.Exam().Tasks[0].Dir+".away", s.Exam().Tasks[0].Dir); err != nil {
		t.Fatal(err)
	}
	report, err := s.Finish(t.Context(), ends.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range report.Tasks {
		if late := task.Lab == "key-and-csr" || task.Lab == "admin-credential"; late != strings.Contains(task.Ungraded, "after the end") {
			t.Errorf("%s: not graded because %q", task.Lab, task.Ungraded)
		}
		want := 0 // changed later, and never graded before; or never done
		if task.Lab == "cluster-ca" || task.Lab == "key-and-csr" {
			want = task.Total // before the end
		}
		if task.Points != want {
			t.Errorf("%s has %d points, want %d", task.Lab, task.Points, want)
		}
	}
	if ended := s.Exam().EndedAt; !ended.Equal(ends) || report.Took != ends.Sub(s.Exam().StartedAt) {
		t.Errorf("ended at %v, took %v", ended, report.Took)
	}
}

// TestExamKilled: a process that is killed leaves the exam as it was.
func TestExamKilled(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	cmd := childCommand(t, "exam", root, "")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	_ = cmd.Process.Kill()
	_ = cmd.Wait() // killed
	if err != nil || line != "flagged\n" {
		t.Fatalf("%q %v", line, err)
	}
	s, err := lab.ResumeExam(root, nil)
	if err != nil {
		t.Fatal(err)
	}
	flagged := 0
	for _, task := range s.Exam().Tasks {
		if task.Flagged {
			flagged++
		}
	}
	if left := s.Remaining(now); left <= 0 || flagged != 1 {
		t.Errorf("%v left, %d flagged", left, flagged)
	}
	if _, err := s.Grade(t.Context(), "admin-credential", now); err != nil {
		t.Error(err)
	}
}
