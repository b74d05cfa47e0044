package lab

import (
	"path/filepath"
	"slices"
	"time"

	"github.com/pkictl/pkictl/internal/failure"
)

// RefuseInExam refuses what a learner is not told in an exam: grades, hints and the
// solution of a lab that is a task of the exam that goes on below root, or below the
// root that an exam's workspaces are in.
func RefuseInExam(root, id string, now time.Time) error {
	root, err := absolute(root)
	if err != nil {
		return err
	}
	if above := filepath.Dir(root); filepath.Base(above) == examsDir {
		root = filepath.Dir(above)
	}
	session, err := ResumeExam(root, nil)
	if err != nil || session.Remaining(now) == 0 {
		return nil //nolint:nilerr // whoever wants an exam is told what is wrong with it
	}
	if !slices.ContainsFunc(session.Exam().Tasks, func(t ExamTask) bool { return t.Lab == id }) {
		return nil
	}
	return failure.New(failure.Refused, "finish the exam first; it tells no grades and gives no hints before",
		"lab %q is a task of the exam that goes on", id)
}
