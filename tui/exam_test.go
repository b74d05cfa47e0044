package tui

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pkictl/pkictl/lab"
)

// begin begins an exam from the catalogue.
func (d *labDriver) begin() *examTasks {
	d.t.Helper()
	d.keys("ctrl+x")
	d.wantScreen("67 % of the points pass", "Minutes:", "About ")
	d.keys("enter")
	return d.inExam()
}

// inExam waits for the exam to be on top, and its files to be looked at.
func (d *labDriver) inExam() *examTasks {
	d.t.Helper()
	d.until("the exam is on top", func() bool { _, ok := d.root.top().(*examTasks); return ok })
	s := d.root.top().(*examTasks)
	d.until("the files were seen", func() bool { return s.seen.stamps != nil && !s.looking })
	return s
}

// task is the number of the task of a lab, from 0.
func (s *examTasks) taskOf(t *testing.T, id string) int {
	t.Helper()
	for i, task := range s.found.exam.Tasks {
		if task.Lab == id {
			return i
		}
	}
	t.Fatalf("lab %s is not in the exam", id)
	return 0
}

// An exam is begun, left, killed, gone on with and finished; its report says what
// was missed.
func TestExam(t *testing.T) {
	t.Parallel()
	dir, clock := labTestDir(t), newLabTestClock()
	d := driveLabs(t, dir, clock)
	s := d.begin()
	all := len(s.found.exam.Tasks)
	d.wantScreen("Task 1 of ", " left", "The clock runs.")

	d.keys("n")
	if s.at != 1 {
		t.Errorf("n goes to task %d", s.at+1)
	}
	d.keys("f", "3")
	if s.at != 2 || !s.found.exam.Tasks[1].Flagged {
		t.Errorf("task %d is shown, the flags are %+v", s.at+1, s.found.exam.Tasks)
	}
	d.keys("p", "p", "p", "tab", "down", "tab", "0")
	if s.at != 1 {
		t.Errorf("p and down go to task %d", s.at+1)
	}
	d.wantScreen("There is no task 0")
	d.keys("g")
	d.wantScreen("no grades before the end")
	d.until("the flag is saved", func() bool { return s.flagging == 0 })

	solved := s.taskOf(t, labTestID)
	labTestSolve(t, labTestNamed(t, labTestID), s.found.exam.Tasks[solved].Dir)

	// The program is killed here: nothing of it is told to end.
	clock.goOn(2 * time.Minute)
	d = driveLabs(t, dir, clock)
	d.wantScreen("Exam: one is under way")
	d.keys("ctrl+x")
	d.wantScreen("An exam is under way", " are left.")
	d.keys("enter")
	s = d.inExam()
	if got := s.found.exam.EndsAt.Sub(clock.Now()); got != s.found.exam.EndsAt.Sub(s.found.exam.StartedAt)-2*time.Minute {
		t.Errorf("%s are left", got)
	}
	if !s.found.exam.Tasks[1].Flagged || !s.seen.touched[labTestID] {
		t.Errorf("after the kill: %+v, %v", s.found.exam.Tasks, s.seen.touched)
	}
	d.keys("tab")
	d.wantScreen("⚑", "worked on")
	if strings.Contains(d.screen(), "10/10") {
		t.Error("grades are told before the end")
	}

	d.keys("x")
	d.wantScreen("Finish the exam?", "No file was written yet in "+plural(all-1, "task"), "Flagged to come back to: 1 task")
	d.keys("enter")
	if s.question != nil || s.ending {
		t.Fatal("enter has ended the exam")
	}
	d.keys("x", "y")
	d.until("the report is there", func() bool { _, ok := d.root.top().(*examReport); return ok })
	r := d.root.top().(*examReport)
	d.wantScreen("✗ Not passed: ", "Cluster Hardening", "10/10 points")
	labTestFits(t, r)
	d.keys("e")
	d.wantScreen("Nothing was missed.", "wanted", "found")
	labTestFits(t, r)
	for range 1000 {
		r.View(80, 12)
		d.keys("down")
	}
	if r.cursor != all-1 {
		t.Errorf("down ends at task %d of %d", r.cursor+1, all)
	}
	for range 1000 {
		r.View(80, 12)
		d.keys("up")
	}
	if !strings.Contains(r.View(80, 12), "Not passed") {
		t.Error("up does not come back to the verdict")
	}
	d.keys("s")
	d.wantScreen("With the usual tools")
	d.keys("esc")
	d.until("the report is back", func() bool { return d.root.top() == screen(r) })
	d.back()
	d.keys("ctrl+x")
	d.wantScreen("r shows its report")
	d.keys("r")
	d.wantScreen("✗ Not passed: ")
}

// When the time is over the exam ends by itself. What was there counts, what comes
// after does not.
func TestExamTimeOver(t *testing.T) {
	t.Parallel()
	clock := newLabTestClock()
	d := driveLabs(t, labTestDir(t), clock)
	s := d.begin()
	labTestSolve(t, labTestNamed(t, labTestID), s.found.exam.Tasks[s.taskOf(t, labTestID)].Dir)
	clock.goOn(examLookEvery)
	d.handle(examTickMsg{s, s.ticks})
	d.until("it was graded without a word", func() bool { return !s.looking && s.seen.touched[labTestID] })

	clock.goOn(s.found.exam.EndsAt.Sub(clock.Now()) + time.Hour)
	other := s.found.exam.Tasks[s.taskOf(t, labTestOther)].Dir
	labTestSolve(t, labTestNamed(t, labTestOther), other)
	late := clock.Now()
	if err := os.Chtimes(filepath.Join(other, "orders.csr"), late, late); err != nil {
		t.Fatal(err)
	}
	d.keys("x")
	d.handle(examTickMsg{s, s.ticks})
	if s.question != nil {
		t.Error("it still asks whether to finish")
	}
	d.until("the report is there", func() bool { _, ok := d.root.top().(*examReport); return ok })
	for _, task := range d.root.top().(*examReport).reported.report.Tasks {
		if want := map[string]int{labTestID: 10}[task.Lab]; task.Points != want {
			t.Errorf("%s has %d points, want %d", task.Lab, task.Points, want)
		}
	}
}

// An exam whose time went by while nobody looked is graded as soon as it is opened.
func TestExamOverWhileAway(t *testing.T) {
	t.Parallel()
	dir, clock := labTestDir(t), newLabTestClock()
	s := driveLabs(t, dir, clock).begin()
	labTestSolve(t, labTestNamed(t, labTestID), s.found.exam.Tasks[s.taskOf(t, labTestID)].Dir)
	clock.goOn(30 * 24 * time.Hour)
	d := driveLabs(t, dir, clock)
	d.keys("ctrl+x")
	d.wantScreen("The time is over.", "shows the report")
	d.keys("enter")
	d.wantScreen("Not passed", "10/10 points", "It took "+labClock(s.found.exam.EndsAt.Sub(s.found.exam.StartedAt)))
}

// Ending the program waits for what is under way.
func TestExamBusy(t *testing.T) {
	t.Parallel()
	d := driveLabs(t, labTestDir(t), newLabTestClock())
	s := d.begin()
	d.keys("f", "ctrl+c")
	if !s.isBusy() {
		t.Fatal("a flag is written, and nobody waits")
	}
	d.until("it has ended", func() bool { return !s.isBusy() })
}

func TestExamFits(t *testing.T) {
	t.Parallel()
	d := driveLabs(t, labTestDir(t), newLabTestClock())
	s := d.begin()
	found := *s.found
	exam := *found.exam
	exam.Tasks = nil
	for i, text := range labHostile() {
		id := string(rune('a' + i))
		found.labs[id] = &lab.Lab{ID: id, Title: text, Scenario: text, Tasks: []string{text}}
		exam.Tasks = append(exam.Tasks, lab.ExamTask{Lab: id, Domain: "storage", Weight: 10, Dir: text, Flagged: i%2 == 0, Total: 3, Points: i % 4})
	}
	found.exam = &exam
	s.found = &found
	for i, text := range labHostile() {
		s.at, s.note = i, text
		for s.side = range 2 {
			labTestFits(t, s)
		}
		s.askFinish()
		labTestFits(t, s)
		s.question = nil
	}
	report := exam.Report()
	results := map[string]*lab.Result{}
	for _, text := range labHostile() {
		results["a"] = &lab.Result{Total: 3, Checks: []lab.CheckResult{{Check: lab.Check{Name: text, Points: 3}, Wanted: text, Found: text}}}
		r := newExamReported(d.w, &examReported{found, report, results}).(*examReport)
		r.key("e")
		labTestFits(t, r)
	}
	labTestFits(t, newExam(d.w))
	labTestFits(t, newExamReport(d.w))
}

// A lab of an exam that goes on has neither hints nor grades beside the exam.
func TestExamLabs(t *testing.T) {
	t.Parallel()
	dir, clock := labTestDir(t), newLabTestClock()
	s := driveLabs(t, dir, clock).begin()
	d := driveLabs(t, dir, clock)
	d.start(push(newLab(d.w, labTestNamed(t, labTestID))))
	d.wantScreen("is a task of the exam that goes on")
	clock.goOn(s.found.exam.EndsAt.Sub(clock.Now()) + time.Second)
	d.keys("enter")
	d.wantScreen("enter makes a directory")
}
