package main_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestUserLock: user add and user renew wait for the lock that kubectl takes, and
// take away what a killed one has left.
func TestUserLock(t *testing.T) {
	t.Parallel()
	c := clusterWithRoles(t)
	c.asAdmin("create namespace user-lock")
	config := filepath.Join(c.dir, "locked.conf")
	lock := config + ".lock"
	left := []string{filepath.Join(c.dir, ".locked.conf.unfinished"), filepath.Join(c.dir, ".locked.conf.pending.unfinished")}
	for _, verb := range []string{"add locked --namespace user-lock --role view", "renew locked"} {
		for _, path := range left {
			ok(t, os.WriteFile(path, []byte("half"), 0o600))
		}
		ok(t, os.WriteFile(lock, nil, 0o600))
		ok(t, os.Chmod(lock, 0))
		before, _ := os.ReadFile(config) // there is none at first
		cmd := exec.Command(pkictl(), append(strings.Fields("user "+verb), "--kubeconfig", c.admin)...)
		cmd.Dir, cmd.Env = c.dir, []string{"HOME=" + c.dir}
		pipe, err := cmd.StderrPipe()
		ok(t, err)
		ok(t, cmd.Start())
		var said strings.Builder
		for line := make([]byte, 200); !strings.Contains(said.String(), "waiting for another"); {
			n, err := pipe.Read(line)
			said.Write(line[:n])
			if err != nil {
				t.Fatalf("%s: it did not wait: %v\n%s", verb, err, &said)
			}
		}
		if now, _ := os.ReadFile(config); string(now) != string(before) {
			t.Errorf("%s: changed under another's lock", verb)
		}
		if info, err := os.Lstat(lock); err != nil || info.Mode().Perm() != 0 {
			t.Errorf("%s: another's lock: %v %v", verb, info, err)
		}
		ok(t, os.Remove(lock))
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s: %v", verb, err)
		}
		for _, path := range append(left, lock) {
			if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s left %s: %v", verb, filepath.Base(path), err)
			}
		}
		if who := c.as(config, "auth whoami -o jsonpath={.status.userInfo.username}"); who != "locked" {
			t.Errorf("%s: the API server knows %q", verb, who)
		}
	}
}
