package main_test

import (
	"context"
	"io"
	"os"
	"os/exec"
	"time"

	"github.com/pkictl/pkictl/apiserver"
	"github.com/pkictl/pkictl/internal/store"
)

// waitVariable names a manifest. With it the test binary writes what it reads to
// that, and waits to be killed.
const waitVariable = "PKICTL_TEST_WAIT"

// waitOnce changes a manifest under watch. It never finds out that the new one is
// bad: its next question comes in an hour.
func waitOnce(manifest string, args []string) {
	data, err := io.ReadAll(os.Stdin)
	if err != nil {
		return
	}
	w, err := apiserver.Watch(context.Background(), apiserver.WaitOptions{Manifest: manifest, LogDir: args[0], Timeout: time.Hour, Interval: time.Hour})
	if err != nil {
		return
	}
	if store.ReplaceFile(store.File{Path: manifest, Data: data, Keep: true}) == nil {
		_, _ = w.Await(context.Background())
	}
}

// waitProgram returns a run of the test binary that changes a manifest.
func waitProgram(manifest, logs string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], logs)
	cmd.Env = []string{waitVariable + "=" + manifest}
	return cmd
}
