package main_test

import (
	"context"
	"path/filepath"
	"time"

	"github.com/pkictl/pkictl/cluster"
)

// restartVariable names a cluster directory. With it the test binary restarts
// the scheduler of it, and ends.
const restartVariable = "PKICTL_TEST_RESTART"

// restartOnce restarts a component that does not run, and never will.
func restartOnce(dir string) {
	_, _ = cluster.RestartStaticPods(context.Background(), cluster.RestartOptions{
		Dir: dir, Components: []string{cluster.ComponentScheduler}, Timeout: time.Millisecond, FileCheck: time.Millisecond,
		LogDir: filepath.Join(dir, "log"), Now: time.Now(),
	})
}
