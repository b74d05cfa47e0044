package main_test

import (
	"context"
	"path/filepath"
	"slices"
	"time"

	"github.com/pkictl/pkictl/cluster"
)

// restartVariable names a cluster directory. With it the test binary restarts
// the static pods there that its arguments name, and ends.
const restartVariable = "PKICTL_TEST_RESTART"

// restartOnce restarts components. The scheduler is one that does not run, and
// never will: nobody waits for it.
func restartOnce(dir string, components []string) {
	o := cluster.RestartOptions{Dir: dir, Components: components, LogDir: filepath.Join(dir, "log"), Now: time.Now()}
	if slices.Contains(components, cluster.ComponentScheduler) {
		o.Timeout, o.FileCheck = time.Millisecond, time.Millisecond
	}
	_, _ = cluster.RestartStaticPods(context.Background(), o)
}
