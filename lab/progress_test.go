package lab_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/lab"
)

func TestProgress(t *testing.T) {
	t.Parallel()
	root := filepath.Join(t.TempDir(), "labs")
	store := lab.OpenProgress(root)
	if list, err := store.All(); err != nil || len(list) != 0 {
		t.Errorf("%v %v", list, err)
	}
	if p, err := store.Get("cluster-ca"); err != nil || p != (lab.Progress{Lab: "cluster-ca"}) {
		t.Errorf("%+v %v", p, err)
	}
	if _, err := os.Stat(root); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("reading has made something: %v", err)
	}
	w := startNamed(t, root, "cluster-ca")
	part := &lab.Result{Points: 4, Total: 10}
	all := &lab.Result{Points: 10, Total: 10}
	later := now.Add(time.Hour)
	steps := []struct {
		change func(p *lab.Progress)
		want   lab.Progress
	}{
		{func(p *lab.Progress) { p.Started(w) }, lab.Progress{Dir: w.Dir, StartedAt: now}},
		{func(p *lab.Progress) { p.Graded(part, now) }, lab.Progress{Dir: w.Dir, StartedAt: now, Points: 4, Total: 10}},
		{func(p *lab.Progress) { p.ShowedHints(2); p.ShowedHints(1) }, lab.Progress{Dir: w.Dir, StartedAt: now, Points: 4, Total: 10, Hints: 2}},
		{func(p *lab.Progress) { p.Graded(all, later); p.Graded(part, later) },
			lab.Progress{Dir: w.Dir, StartedAt: now, Points: 10, Total: 10, Hints: 2, PassedAt: later}},
		{func(p *lab.Progress) { p.ShowedSolution(); p.Spent += time.Minute; p.Graded(all, later.Add(1)) },
			lab.Progress{Dir: w.Dir, StartedAt: now, Points: 10, Total: 10, Hints: 2, PassedAt: later, Spent: time.Minute}},
	}
	for i, step := range steps {
		step.want.Lab = "cluster-ca"
		changed, err := store.Update(t.Context(), "cluster-ca", func(p *lab.Progress) error { step.change(p); return nil })
		kept, readErr := lab.OpenProgress(root).Get("cluster-ca")
		if err != nil || readErr != nil || changed != step.want || kept != step.want {
			t.Errorf("step %d: %+v %v\nkept %+v %v\nwant %+v", i, changed, err, kept, readErr, step.want)
		}
	}
	gaveUp, err := store.Update(t.Context(), "admin-credential", func(p *lab.Progress) error { p.ShowedSolution(); return nil })
	if err != nil || !gaveUp.GaveUp {
		t.Errorf("%+v %v", gaveUp, err)
	}
	if _, err := store.Update(t.Context(), "admin-credential", func(p *lab.Progress) error { p.Points = 99; return errors.New("no") }); err == nil {
		t.Error("no error")
	}
	list, err := store.All()
	if err != nil || len(list) != 2 || list[0] != gaveUp || list[1].Lab != "cluster-ca" {
		t.Errorf("%+v %v", list, err)
	}
}

// TestProgressOfTwo: of what several processes note at once nothing is lost.
func TestProgressOfTwo(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	var wait sync.WaitGroup
	for _, id := range []string{"cluster-ca", "cluster-ca", "key-and-csr"} {
		cmd := childCommand(t, "progress", root, id)
		wait.Go(func() {
			if err := cmd.Run(); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	list, err := lab.OpenProgress(root).All()
	if err != nil || len(list) != 2 || list[0].Hints != 2*childUpdates || list[1].Hints != childUpdates {
		t.Errorf("%+v %v", list, err)
	}
}

func TestProgressBroken(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"half":                 `{"apiVersion": "pkictl.dev/v1", "kind": "LabProgress", "items": [{"lab":`,
		"nothing":              ``,
		"of a newer pkictl":    `{"apiVersion": "pkictl.dev/v1", "kind": "LabProgress", "items": [{"lab": "cluster-ca", "stars": 3}]}`,
		"of another kind":      `{"apiVersion": "pkictl.dev/v1", "kind": "LabExam", "items": []}`,
		"of another type":      `{"apiVersion": "pkictl.dev/v1", "kind": "LabProgress", "items": {}}`,
		"more than 4 MiB long": strings.Repeat(" ", 5<<20),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			path := filepath.Join(root, "progress.json")
			write(t, path, text)
			_, err := lab.OpenProgress(root).All()
			_, updateErr := lab.OpenProgress(root).Update(t.Context(), "cluster-ca", func(*lab.Progress) error { return nil })
			for _, err := range []error{err, updateErr} {
				if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(failure.HintOf(err), "move it away") {
					t.Errorf("%v, hint %q", err, failure.HintOf(err))
				}
			}
			if data, err := os.ReadFile(path); err != nil || string(data) != text {
				t.Errorf("it was changed: %v", err)
			}
		})
	}
}
