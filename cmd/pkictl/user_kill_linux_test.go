package main_test

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
)

// TestUserAddKilledAtSystemCalls kills user add before each system call that
// changes files. The next run completes it, and leaves nothing of the first.
func TestUserAddKilledAtSystemCalls(t *testing.T) {
	t.Parallel()
	c := clusterWithRoles(t)
	c.asAdmin("create namespace user-killed-files")
	for n := 1; ; n++ {
		name := fmt.Sprintf("killed-file-%d", n)
		args := []string{"user", "add", name, "--namespace", "user-killed-files", "--role", "view", "--kubeconfig", c.admin}
		cmd := exec.Command(pkictl(), args...)
		cmd.Dir, cmd.Env = c.dir, []string{"HOME=" + c.dir}
		_, reached := breakAt(t, cmd, n, killed)
		if !reached {
			if n < 20 {
				t.Errorf("only %d calls", n)
			}
			return
		}
		if stdout, stderr, err := c.try(pkictl(), args...); err != nil && !strings.Contains(stderr, "is there already") {
			t.Errorf("killed at %d: %v\n%s%s", n, err, stdout, stderr)
		}
		c.checkAdded(name, name, "user-killed-files", true)
	}
}
