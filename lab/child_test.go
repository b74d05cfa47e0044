package lab_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"

	"github.com/pkictl/pkictl/lab"
)

// childEnv has a test's process do something else, as another pkictl would.
const childEnv = "PKICTL_LAB_TEST_CHILD"

const childUpdates = 40

// child runs in a process of its own: "progress ROOT LAB" counts hints of a lab,
// "exam ROOT" begins an exam, flags a task and waits to be killed.
func child() {
	ctx := context.Background()
	root := os.Args[len(os.Args)-2]
	var err error
	switch os.Getenv(childEnv) {
	case "progress":
		for range childUpdates {
			_, err = lab.OpenProgress(root).Update(ctx, os.Args[len(os.Args)-1], func(p *lab.Progress) error {
				p.Hints++
				return nil
			})
			if err != nil {
				break
			}
		}
	case "start":
		err = childStart(ctx, root, os.Args[len(os.Args)-1])
	case "exam":
		var s *lab.Session
		if s, err = lab.NewExam(ctx, lab.ExamOptions{Root: root, Now: now, Minutes: 10_000, Random: rand.New(rand.NewPCG(1, 2))}); err == nil {
			err = s.Flag(ctx, "cluster-ca", true, now)
		}
		if err == nil {
			fmt.Println("flagged")
			select {}
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func childCommand(t *testing.T, do, root, arg string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], root, arg)
	cmd.Env = append(os.Environ(), childEnv+"="+do)
	cmd.Stderr = os.Stderr
	return cmd
}
