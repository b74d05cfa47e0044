package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/shell"
	"github.com/pkictl/pkictl/lab"
)

func (a *app) labExamCmd() *cobra.Command {
	return nounCmd("exam", "An exam: labs of all domains against the clock",
		`Take an exam as the CKS sets it: tasks are chosen by chance, as many as fit into
the time, by the weights of the exam's domains. There are no hints, and no grades
before the end; 67 % of the points pass. Tasks can be done in any order, and
flagged to come back to.

All that you make is kept: the terminal may be closed, and the machine restarted.
The clock goes on meanwhile.`,
		a.labExamStartCmd(), a.labExamStatusCmd(), a.labExamShowCmd(), a.labExamFlagCmd(),
		a.labExamCheckCmd(), a.labExamFinishCmd(), a.labExamReportCmd())
}

type labExamStartFlags struct {
	labFlags
	minutes int
}

func (a *app) labExamStartCmd() *cobra.Command {
	var f labExamStartFlags
	cmd := &cobra.Command{
		Use:   "start",
		Short: "Choose tasks, make their directories, and start the clock",
		Long: `Choose tasks, make a directory for each, and start the clock. Labs that need what
this machine does not have are left out. It is refused while an exam goes on.`,
		Example: `  pkictl lab exam start --minutes 15`,
		Args:    noArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.labExamStart(cmd, f) },
	}
	cmd.Flags().IntVar(&f.minutes, "minutes", lab.DefaultExamMinutes, "how many `MINUTES` it may take at most")
	complete(cmd, "minutes", "30", "60", "90", "120")
	addLabAssets(cmd, &f.labFlags)
	return cmd
}

func (a *app) labExamStart(cmd *cobra.Command, f labExamStartFlags) error {
	if f.minutes < 1 || f.minutes > 24*60 {
		return failure.New(failure.Usage, "give it from 1 to 1440, as in --minutes 60", "%d is no number of minutes for an exam", f.minutes)
	}
	a.stopsOthers()
	steps := a.newSteps()
	defer steps.clear()
	session, err := lab.NewExam(cmd.Context(), lab.ExamOptions{
		Root: a.labsDir, Now: a.now(), Minutes: f.minutes, Machine: a.labMachine(f.assets), Progress: steps.show,
		Random: rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())), //nolint:gosec // which tasks come is no secret
	})
	if failure.KindOf(err) == failure.Refused && err != nil {
		return failure.New(failure.Refused, "see it with: "+a.examLine("status")+"; or end it with: "+a.examLine("finish"), "%v", err)
	}
	steps.clear()
	if err != nil {
		return a.labFailed(err)
	}
	return a.printExam(session, true)
}

// examLine is the command line of a verb for the exam.
func (a *app) examLine(verb string) string {
	line := "pkictl lab exam " + verb
	if a.labsDir != a.labDir() {
		line += " --dir " + shell.Quote(a.labsDir)
	}
	return line
}

// examSession opens the exam that goes on, or the last one.
func (a *app) examSession(assets string) (*lab.Session, error) {
	session, err := lab.ResumeExam(a.labsDir, a.labMachine(assets))
	if errors.Is(err, lab.ErrNoExam) {
		return nil, failure.New(failure.Failed, "begin one with: "+a.examLine("start"), "no exam was begun in %q", a.labsDir)
	}
	return session, err
}

func (a *app) labExamStatusCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "List the tasks of the exam, and how much time is left",
		Long: `List the tasks of the exam: their number, whether you have flagged them, what each
is worth in percent of the exam, whether something was written for it, its ID and
its title; and how much time is left.`,
		Example: `  pkictl lab exam start --minutes 15
  pkictl lab exam status`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			session, err := a.examSession("")
			if err != nil {
				return err
			}
			return a.printExam(session, false)
		},
	}
}

// examStatus is the result in JSON and YAML. It tells no points.
type examStatus struct {
	typeMeta
	Dir       string       `json:"dir"`
	StartedAt time.Time    `json:"startedAt"`
	EndsAt    time.Time    `json:"endsAt"`
	EndedAt   time.Time    `json:"endedAt,omitzero"`
	Remaining string       `json:"remaining"`
	Tasks     []examTasked `json:"tasks"`
}

// examTasked is a task in it.
type examTasked struct {
	Number  int    `json:"number"`
	Lab     string `json:"lab"`
	Title   string `json:"title"`
	Domain  string `json:"domain"`
	Weight  int    `json:"weight"` // percent of the exam
	Flagged bool   `json:"flagged"`
	Touched bool   `json:"touched"`
	Dir     string `json:"dir"`
}

func (a *app) examStatus(session *lab.Session) *examStatus {
	exam := session.Exam()
	s := &examStatus{
		typeMeta: kind("LabExam"), Dir: a.labsDir, StartedAt: exam.StartedAt, EndsAt: exam.EndsAt, EndedAt: exam.EndedAt,
		Remaining: session.Remaining(a.now()).String(), Tasks: []examTasked{},
	}
	for i, t := range exam.Tasks {
		task := examTasked{i + 1, t.Lab, t.Lab, t.Domain, t.Weight, t.Flagged, false, t.Dir}
		if l, err := lab.Named(t.Lab); err == nil { // or it is of another version of pkictl
			task.Title = l.Title
		}
		if w, err := session.Workspace(t.Lab); err == nil { // or it was taken away
			task.Touched = w.Touched()
		}
		s.Tasks = append(s.Tasks, task)
	}
	return s
}

func (a *app) printExam(session *lab.Session, begun bool) error {
	s := a.examStatus(session)
	return a.print(s, func(w io.Writer) {
		p := a.labPage(w)
		p.line("%s", p.paint(sgrStrong, a.examLeft(session)))
		p.line("")
		for _, t := range s.Tasks {
			p.examRow(t)
		}
		p.line("")
		switch left := session.Remaining(a.now()); {
		case begun:
			p.text("", "There are no hints, and no grades before the end. ⚑ is a task that you have flagged, ~ one that you have written something for.")
			if hasCluster(session) {
				p.text("", "Finish in time: a minute after the end no cluster is graded any more. What you had graded before counts then: "+printable(a.examLine("check")))
			}
			p.line("Next: %s", printable(a.asCalled(a.examLine("show")+" 1")))
		case left > 0:
			p.line("Next: %s", printable(a.asCalled(a.examLine("show")+" NUMBER, and at the end: "+a.examLine("finish"))))
		case s.EndedAt.IsZero():
			p.line("Next: %s", printable(a.asCalled(a.examLine("finish"))))
		default:
			p.line("Next: %s", printable(a.asCalled(a.examLine("report"))))
		}
	})
}

// hasCluster says whether a task of the exam has one.
func hasCluster(session *lab.Session) bool {
	for _, t := range session.Exam().Tasks {
		if l, err := lab.Named(t.Lab); err == nil && l.HasCluster() {
			return true
		}
	}
	return false
}

// examLeft says how much time is left.
func (a *app) examLeft(session *lab.Session) string {
	exam := session.Exam()
	left := session.Remaining(a.now())
	tasks := count(len(exam.Tasks), "task")
	switch {
	case !exam.EndedAt.IsZero():
		return fmt.Sprintf("The exam of %s has ended at %s.", tasks, clock(exam.EndedAt))
	case left == 0:
		return fmt.Sprintf("The time for %s is over since %s.", tasks, clock(exam.EndsAt))
	}
	return fmt.Sprintf("Exam: %s, %s of %s left, until %s.", tasks, minutesOf(left), minutesOf(exam.EndsAt.Sub(exam.StartedAt)), clock(exam.EndsAt))
}

func clock(t time.Time) string { return t.Local().Format("2006-01-02 15:04") }

// minutesOf shows a time as 1:32 h or 12 min.
func minutesOf(d time.Duration) string {
	switch minutes := int(d / time.Minute); {
	case minutes == 0:
		return count(int(d/time.Second), "second")
	case minutes < 60:
		return fmt.Sprintf("%d min", minutes)
	default:
		return fmt.Sprintf("%d:%02d h", minutes/60, minutes%60)
	}
}

func (p labPage) examRow(t examTasked) {
	flag, touched := " ", " "
	if t.Flagged {
		flag = "⚑"
	}
	if t.Touched {
		touched = "~"
	}
	title := printable(t.Title)
	if p.height > 0 {
		title = shortTitle(title, p.width-39)
	}
	p.line("%2d %s%s %3d %%  %-26s  %s", t.Number, p.paint(sgrWarn, flag), touched, t.Weight, printable(t.Lab), title)
}

// examArg finds a task by its number or the ID of its lab.
func examArg(session *lab.Session, arg string) (number int, t lab.ExamTask, err error) {
	tasks := session.Exam().Tasks
	var ids []string
	for i, t := range tasks {
		if t.Lab == arg || strconv.Itoa(i+1) == arg {
			return i + 1, t, nil
		}
		ids = append(ids, t.Lab)
	}
	return 0, t, failure.New(failure.Usage, fmt.Sprintf("give a number from 1 to %d, or an ID; %s", len(tasks), failure.Suggest(arg, ids)), "there is no task %q in this exam", arg)
}

// examTaskCmd makes a command one that takes tasks of the exam.
func (a *app) examTaskCmd(cmd *cobra.Command) *cobra.Command {
	cmd.ValidArgsFunction = func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		session, err := a.examSession("")
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		var ids []string
		for _, t := range session.Exam().Tasks {
			ids = append(ids, t.Lab)
		}
		return ids, cobra.ShellCompDirectiveNoFileComp
	}
	return cmd
}

func (a *app) labExamShowCmd() *cobra.Command {
	return a.examTaskCmd(&cobra.Command{
		Use:   "show TASK",
		Short: "Say what a task of the exam asks for, and where to do it",
		Long: `Say what a task of the exam asks for, and in which directory to do it. TASK is
its number, or the ID of its lab.`,
		Example: `  pkictl lab exam start --minutes 15
  pkictl lab exam show 1`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return a.labExamShow(args[0]) },
	})
}

// examShown is the result in JSON and YAML.
type examShown struct {
	typeMeta
	examTasked
	Scenario  string   `json:"scenario"`
	Questions []string `json:"tasks"`
	Remaining string   `json:"remaining"`
}

func (a *app) labExamShow(arg string) error {
	session, err := a.examSession("")
	if err != nil {
		return err
	}
	number, t, err := examArg(session, arg)
	if err != nil {
		return err
	}
	l, err := lab.Named(t.Lab)
	if err != nil {
		return err
	}
	status := a.examStatus(session)
	shown := examShown{kind("LabExamTask"), status.Tasks[number-1], l.Scenario, l.Tasks, status.Remaining}
	return a.print(shown, func(w io.Writer) {
		p := a.labPage(w)
		p.line("%s %s", p.paint(sgrStrong, fmt.Sprintf("Task %d of %d: %s", number, len(status.Tasks), printable(l.Title))),
			p.paint(sgrFaint, fmt.Sprintf("(%d %% of the exam)", t.Weight)))
		p.tasks(l, "Part")
		p.line("")
		p.line("%s", a.examLeft(session))
		p.line("Next: %s", printable(l.Enter(t.Dir)))
	})
}

func (a *app) labExamFlagCmd() *cobra.Command {
	var off bool
	cmd := a.examTaskCmd(&cobra.Command{
		Use:   "flag TASK",
		Short: "Flag a task of the exam, to come back to it",
		Long: `Flag a task of the exam, to come back to it; --off takes the flag away. It says
nothing to the grading.`,
		Example: `  pkictl lab exam start --minutes 15
  pkictl lab exam flag 1
  pkictl lab exam flag 1 --off`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			session, err := a.examSession("")
			if err != nil {
				return err
			}
			_, t, err := examArg(session, args[0])
			if err == nil {
				err = session.Flag(cmd.Context(), t.Lab, !off, a.now())
			}
			if err != nil {
				return a.examOver(session, err)
			}
			return a.printExam(session, false)
		},
	})
	cmd.Flags().BoolVar(&off, "off", false, "take the flag away")
	return cmd
}

// examOver says with which command an exam is finished whose time is over.
func (a *app) examOver(session *lab.Session, err error) error {
	if failure.KindOf(err) == failure.Refused && session.Remaining(a.now()) == 0 {
		return failure.New(failure.Refused, "see the report with: "+a.examLine("finish"), "%v", err)
	}
	return err
}

func (a *app) labExamCheckCmd() *cobra.Command {
	var assets labFlags
	cmd := a.examTaskCmd(&cobra.Command{
		Use:   "check [TASK...]",
		Short: "Have tasks of the exam graded as they are now, without being told how",
		Long: `Have tasks of the exam graded as they are now; without a TASK all for which
something was written. The grades are told at the end. All tasks are graded then
anyway: this is for those in which something is changed when the time is over,
for of these the last grade before counts.`,
		Example: `  pkictl lab exam start --minutes 15
  pkictl lab exam check
  pkictl lab exam check 1`,
		RunE: func(cmd *cobra.Command, args []string) error { return a.labExamCheck(cmd, args, assets.assets) },
	})
	addLabAssets(cmd, &assets)
	return cmd
}

// examGraded is the result in JSON and YAML.
type examGraded struct {
	typeMeta
	Graded    []string `json:"graded"`
	Remaining string   `json:"remaining"`
}

func (a *app) labExamCheck(cmd *cobra.Command, args []string, assets string) error {
	session, err := a.examSession(assets)
	if err != nil {
		return err
	}
	status := a.examStatus(session)
	var chosen []string
	for _, arg := range args {
		_, t, err := examArg(session, arg)
		if err != nil {
			return err
		}
		chosen = append(chosen, t.Lab)
	}
	if len(args) == 0 {
		for _, t := range status.Tasks {
			if l, err := lab.Named(t.Lab); t.Touched || err == nil && len(l.Needs) > 0 { // work in a cluster leaves no trace
				chosen = append(chosen, t.Lab)
			}
		}
	}
	result := examGraded{kind("LabExamGrading"), []string{}, status.Remaining}
	for _, id := range chosen {
		if _, err := session.Grade(cmd.Context(), id, a.now()); err != nil {
			return a.examOver(session, err)
		}
		result.Graded = append(result.Graded, id)
	}
	return a.print(result, func(w io.Writer) {
		p := a.labPage(w)
		what := "There is nothing to grade yet: nothing was written."
		if len(chosen) > 0 {
			what = "Graded as they are now: " + strings.Join(chosen, ", ") + ". The grades are told at the end."
		}
		p.text("", what)
		p.line("%s", a.examLeft(session))
	})
}

// examTitle is the title of a task's lab, or its ID.
func examTitle(id string) string {
	l, err := lab.Named(id)
	if err != nil {
		return id
	}
	return cmp.Or(l.Title, id)
}
