package lab_test

import (
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
	for _, l := range labs {
		t.Run(l.ID, func(t *testing.T) {
			t.Parallel()
			honest(t, l)
		})
	}
}

func honest(t *testing.T, l *lab.Lab) {
	if len(l.Hints) != 3 || len(l.Mutants) < 3 || l.Number == 0 {
		t.Errorf("it has %d hints, %d mutants and number %d", len(l.Hints), len(l.Mutants), l.Number)
	}
	t.Run("untouched", func(t *testing.T) {
		t.Parallel()
		for _, check := range grade(t, start(t, l)).Checks {
			if check.Passed {
				t.Errorf("check %s is a free gift", check.ID)
			}
			if check.Wanted == "" || check.Found == "" {
				t.Errorf("check %s wants %q and found %q", check.ID, check.Wanted, check.Found)
			}
		}
	})
	for name, script := range map[string]string{"tools": l.Solution.Tools, "pkictl": l.Solution.Pkictl, "second": l.Solution.Second} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if script == "" && name == "pkictl" {
				return // of no use there
			}
			if script == "" {
				t.Fatal("there is no such solution")
			}
			w := start(t, l)
			run(t, w, script)
			wantLost(t, grade(t, w), nil)
		})
	}
	for _, mutant := range l.Mutants {
		t.Run("mutant "+mutant.ID, func(t *testing.T) {
			t.Parallel()
			if len(mutant.Loses) == 0 {
				t.Fatal("it loses nothing")
			}
			w := start(t, l)
			run(t, w, l.Solution.Tools)
			run(t, w, mutant.Script)
			wantLost(t, grade(t, w), mutant.Loses)
		})
	}
}

func start(t *testing.T, l *lab.Lab) *lab.Workspace {
	t.Helper()
	m, err := machine()
	if err != nil {
		t.Fatal(err)
	}
	w, err := lab.Start(t.Context(), lab.StartOptions{Lab: l, Root: t.TempDir(), Now: time.Now(), Machine: m})
	if err != nil {
		t.Fatal(err)
	}
	return w
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
	tools, err := filepath.Abs("../tools/bin")
	if err != nil {
		t.Fatal(err)
	}
	cmd.Env = []string{"PATH=" + strings.Join([]string{programs, os.Getenv("PATH"), tools}, string(os.PathListSeparator)), "HOME=" + t.TempDir()}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s\n%s", err, script, out)
	}
}
