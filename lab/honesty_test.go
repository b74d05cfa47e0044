package lab_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/klog/v2"

	"github.com/pkictl/pkictl/lab"
)

// programs is the directory of the program that the solutions run.
var programs = filepath.Join(os.TempDir(), "pkictl-lab-test-"+rand.Text())

// machine has all that labs need: CI builds or installs it.
var machine = sync.OnceValues(func() (*lab.Machine, error) {
	tools, err := filepath.Abs("../tools/bin")
	if err != nil {
		return nil, err
	}
	path := strings.Join([]string{os.Getenv("PATH"), tools}, string(os.PathListSeparator))
	env := func(name string) string { return map[string]string{"PATH": path}[name] }
	return lab.FindMachine(filepath.Join(programs, "pkictl"), tools, env), pkictl()
})

// pkictl builds it, once.
var pkictl = sync.OnceValue(func() error {
	// As make build does: what that has compiled is not compiled again.
	build := exec.Command("go", "build", "-trimpath", "-o", programs+string(filepath.Separator), "github.com/pkictl/pkictl/cmd/pkictl")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return nil
})

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		child()
	}
	klog.SetLogger(klog.New(nil)) // as the program does
	code := m.Run()
	_ = os.RemoveAll(programs) // where it was made
	os.Exit(code)
}

// TestHonesty runs the four rows of the honesty contract for every lab.
func TestHonesty(t *testing.T) {
	t.Parallel()
	labs, err := lab.Catalogue()
	if err != nil {
		t.Fatal(err)
	}
	if len(labs) < 3 {
		t.Fatalf("there are %d labs only", len(labs))
	}
	wantNone(t, lab.LintTogether(labs))
	for _, l := range labs {
		t.Run(l.ID, func(t *testing.T) {
			t.Parallel()
			honest(t, l)
		})
	}
}

func honest(t *testing.T, l *lab.Lab) {
	if l.Number == 0 {
		t.Error("it has no number")
	}
	wantNone(t, l.Lint())
	m, err := machine()
	if err != nil {
		t.Fatal(err)
	}
	for _, trial := range l.Trials() {
		t.Run(trial.Name, func(t *testing.T) {
			t.Parallel()
			limitClusters(t, l)
			findings, err := trial.Run(t.Context(), lab.TrialOptions{Machine: m, Path: scriptPath(t), Now: time.Now})
			if err != nil {
				t.Fatal(err)
			}
			wantNone(t, findings)
		})
	}
}

func wantNone(t *testing.T, findings []lab.LintFinding) {
	t.Helper()
	for _, f := range findings {
		if f.Level == lab.LintWarning {
			continue
		}
		t.Errorf("%s: %s: %s (%s)", f.Level, f.Where, f.Text, f.Hint)
	}
}

// scriptPath is where solutions find openssl, kubectl and the like.
func scriptPath(t *testing.T) string {
	t.Helper()
	tools, err := filepath.Abs("../tools/bin")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join([]string{os.Getenv("PATH"), tools}, string(os.PathListSeparator))
}

func start(t *testing.T, l *lab.Lab) *lab.Workspace {
	t.Helper()
	m, err := machine()
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	limitClusters(t, l)
	w, err := lab.Start(t.Context(), lab.StartOptions{Lab: l, Root: root, Now: time.Now(), Machine: m})
	if err != nil {
		t.Fatal(err)
	}
	stopAfter(t, w)
	return w
}

// clusters holds one of a few places for each cluster that runs: each takes 400 MB and
// some seconds of a processor.
var clusters = make(chan struct{}, 3)

// limitClusters waits, where a lab has a cluster, until not too many run.
func limitClusters(t *testing.T, l *lab.Lab) {
	t.Helper()
	if slices.Contains(l.Needs, lab.NeedsCluster) {
		clusters <- struct{}{}
		t.Cleanup(func() { <-clusters })
	}
}

// stopAfter ends a lab's cluster at the end of the test.
func stopAfter(t *testing.T, w *lab.Workspace) {
	t.Helper()
	t.Cleanup(func() {
		if err := w.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

func grade(t *testing.T, w *lab.Workspace) *lab.Result {
	t.Helper()
	result, err := w.Check(t.Context(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if len(result.Checks) != len(w.Lab.Checks) || result.Total != w.Lab.Points() {
		t.Fatalf("%d of %d checks, %d of %d points", len(result.Checks), len(w.Lab.Checks), result.Total, w.Lab.Points())
	}
	return result
}

// wantLost compares the checks that have not passed.
func wantLost(t *testing.T, result *lab.Result, want []string) {
	t.Helper()
	var lost, why []string
	points := 0
	for _, check := range result.Checks {
		if check.Passed {
			points += check.Points
			continue
		}
		lost = append(lost, check.ID)
		why = append(why, check.ID+": wanted "+check.Wanted+", found "+check.Found)
	}
	slices.Sort(lost)
	if !slices.Equal(lost, slices.Sorted(slices.Values(want))) {
		t.Errorf("lost %v, want %v\n%s", lost, want, strings.Join(why, "\n"))
	}
	if points != result.Points || result.Passed() != (len(lost) == 0) {
		t.Errorf("%d points, want %d; passed %v", result.Points, points, result.Passed())
	}
}

// run runs commands in a workspace, as a learner does.
func run(t *testing.T, w *lab.Workspace, script string) {
	t.Helper()
	cmd := exec.Command("sh", "-eu", "-c", script)
	cmd.Dir = w.Dir
	cmd.Env = []string{"PATH=" + programs + string(os.PathListSeparator) + scriptPath(t), "HOME=" + t.TempDir()}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s\n%s", err, script, out)
	}
}
