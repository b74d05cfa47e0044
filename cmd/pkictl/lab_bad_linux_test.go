package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"sigs.k8s.io/yaml"
)

// badFiles are what a learner's file may be instead of what was asked for.
func badFiles(outside string) map[string]func(path string) error {
	write := func(data string) func(string) error {
		return func(path string) error { return os.WriteFile(path, []byte(data), 0o600) }
	}
	var bomb strings.Builder
	bomb.WriteString("a0: &a0 [x,x,x,x,x,x,x,x,x]\n")
	for i := 1; i < 30; i++ {
		fmt.Fprintf(&bomb, "a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d,", i-1), 9), ","))
	}
	return map[string]func(string) error{
		"missing":      func(string) error { return nil },
		"empty":        write(""),
		"binary":       write(strings.Repeat("\x00\xff\x7fELF\x1b[2J", 500)),
		"half-written": write("apiVersion: v1\nkind: Pod\nmetadata:\n  name: [web\n"),
		"half a PEM":   write("-----BEGIN CERTIFICATE-----\nMIIBdzCCARygAwIBAgIUOvfVzrvBKa\n"),
		"bomb":         write(bomb.String()),
		"deep":         write(strings.Repeat("[", 100_000)),
		"documents":    write(strings.Repeat("---\napiVersion: v1\nkind: Pod\nmetadata: {name: web}\n", 3000)),
		"windows":      write("apiVersion: v1\r\nkind: ConfigMap\r\nmetadata:\r\n  name: web\r\n"),
		"helm":         write("apiVersion: v1\nkind: Pod\nmetadata:\n  name: {{ .Values.name }}\n{{- if .Values.on }}\nspec: {}\n{{- end }}\n"),
		"null":         write("null\n"),
		"list":         write("- 1\n- [2]\n"),
		"link outside": func(path string) error { return os.Symlink(outside, path) },
		"link round":   func(path string) error { return os.Symlink(filepath.Base(path), path) },
		"link nowhere": func(path string) error { return os.Symlink("nowhere", path) },
		"link to zero": func(path string) error { return os.Symlink("/dev/zero", path) },
		"pipe":         func(path string) error { return syscall.Mkfifo(path, 0o600) },
		"directory":    func(path string) error { return os.Mkdir(path, 0o700) },
		"huge": func(path string) error {
			if err := os.WriteFile(path, []byte("apiVersion: v1\n"), 0o600); err != nil {
				return err
			}
			return os.Truncate(path, 8<<30) // with a hole: it takes no room
		},
	}
}

// fileLab is what the test has to know of a lab.
type fileLab struct {
	ID     string
	Needs  []string `json:"needs"`
	Checks []struct {
		ID   string         `json:"id"`
		With map[string]any `json:"with"`
	} `json:"checks"`
}

// asked lists the files that its checks look at.
func (l *fileLab) asked() []string {
	found := map[string]bool{}
	for _, c := range l.Checks {
		for _, name := range []string{"file", "files", "key", "template", "constraint"} {
			switch value := c.With[name].(type) {
			case string:
				found[value] = true
			case []any:
				for _, each := range value {
					found[fmt.Sprint(each)] = true
				}
			}
		}
	}
	return slices.Sorted(maps.Keys(found))
}

func fileLabs(t *testing.T) []*fileLab {
	t.Helper()
	paths, err := filepath.Glob("../../examples/labs/*/lab.yaml")
	ok(t, err)
	var labs []*fileLab
	for _, path := range paths {
		l := &fileLab{ID: filepath.Base(filepath.Dir(path))}
		data, err := os.ReadFile(path)
		ok(t, err)
		ok(t, yaml.Unmarshal(data, l))
		if !slices.Contains(l.Needs, "cluster") {
			labs = append(labs, l)
		}
	}
	if len(labs) < 3 {
		t.Fatalf("there are %d labs only", len(labs))
	}
	return labs
}

// TestLabBadFiles: whatever stands where a learner's files belong, "lab check" says of
// each check what was wanted and found, and neither ends in another way, nor waits, nor
// changes anything.
func TestLabBadFiles(t *testing.T) {
	t.Parallel()
	outside := filepath.Join(t.TempDir(), "secret")
	ok(t, os.WriteFile(outside, []byte("apiVersion: v1\nkind: Secret\nmetadata: {name: not-for-the-grader}\n"), 0o600))
	for _, l := range fileLabs(t) {
		t.Run(l.ID, func(t *testing.T) {
			t.Parallel()
			for name, put := range badFiles(outside) {
				w := newUserDir(t)
				if out, err := labCommand(w, "start", l.ID, "--quiet").CombinedOutput(); err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
				checkBad(t, w, l, name, put)
			}
		})
	}
}

func checkBad(t *testing.T, w userDir, l *fileLab, name string, put func(string) error) {
	t.Helper()
	space := filepath.Join(w.dir, "pkictl-labs", l.ID)
	for _, file := range l.asked() {
		path := filepath.Join(space, file)
		ok(t, os.RemoveAll(path))
		ok(t, os.MkdirAll(filepath.Dir(path), 0o700))
		ok(t, put(path))
	}
	before := listing(t, space)
	cmd := labCommand(w, "check", l.ID, "-o", "json")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) || exit.ExitCode() != 3 {
		t.Errorf("%s: %v\n%s%.2000s", name, err, stdout.String(), stderr.String())
		return
	}
	var result struct {
		Points int `json:"points"`
		Total  int `json:"total"`
		Checks []struct {
			ID, Wanted, Found string
			Passed            bool
		} `json:"checks"`
	}
	if err := json.Unmarshal(stdout.Bytes(), &result); err != nil {
		t.Errorf("%s: %v", name, err)
	}
	if len(result.Checks) != len(l.Checks) || result.Points >= result.Total {
		t.Errorf("%s: %d of %d points, %d of %d checks", name, result.Points, result.Total, len(result.Checks), len(l.Checks))
	}
	for _, c := range result.Checks {
		if c.Wanted == "" || c.Found == "" || c.Passed {
			t.Errorf("%s: %+v", name, c)
		}
	}
	if strings.Contains(stdout.String(), "not-for-the-grader") {
		t.Errorf("%s: it has followed a link:\n%s", name, stdout.String())
	}
	if after := listing(t, space); !slices.Equal(before, after) {
		t.Errorf("%s: the workspace has changed: %v, was %v", name, after, before)
	}
}

// labCommand is a command line of the program, which has a minute.
func labCommand(w userDir, args ...string) *exec.Cmd {
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	w.t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, pkictl(), append([]string{"lab"}, args...)...)
	cmd.Dir = w.dir
	tools := must(filepath.Abs("../../tools/bin"))
	cmd.Env = []string{"PATH=" + tools + string(os.PathListSeparator) + os.Getenv("PATH"), "HOME=" + w.dir, "TERM=xterm"}
	return cmd
}

// listing has names, modes, sizes and times of what is in a directory.
func listing(t *testing.T, dir string) []string {
	t.Helper()
	var list []string
	ok(t, filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			list = append(list, fmt.Sprint(path, info.Mode(), info.Size(), info.ModTime()))
		}
		return err
	}))
	return list
}
