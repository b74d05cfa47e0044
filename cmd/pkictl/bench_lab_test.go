//go:build unix

package main_test

import (
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// BenchmarkLabCheck grades labs as the whole program does at a prompt, before anything
// was done, so that it exits with 3; and beside it the program that does nothing.
func BenchmarkLabCheck(b *testing.B) {
	for _, id := range []string{"key-and-csr", "network-allow-list", "seccomp-profiles", "audit-policy"} {
		b.Run(id, func(b *testing.B) {
			dir := b.TempDir()
			startLab(b, id, dir)
			raceForCheck(b, rounds, id, dir)
		})
	}
	// One with a cluster, which is started a few times: that is what a learner waits for.
	b.Run("rbac-least-privilege", func(b *testing.B) {
		const id, starts = "rbac-least-privilege", 3
		var dir string
		var times []time.Duration
		for range starts {
			dir = b.TempDir()
			times = append(times, startLab(b, id, dir))
		}
		raceForCheck(b, 20, id, dir)
		b.ReportMetric(milliseconds(median(times)), "start-ms")
	})
}

// startLab starts a lab, which is stopped in the end, and returns how long that took.
func startLab(b *testing.B, id, dir string) time.Duration {
	b.Helper()
	program := released(b)
	begin := time.Now()
	out, err := exec.Command(program, "lab", "start", id, "--dir", dir, "--assets", filepath.Dir(tool(b, "kube-apiserver")), "--quiet").CombinedOutput()
	took := time.Since(begin)
	if err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	b.Cleanup(func() {
		if out, err := exec.Command(program, "lab", "stop", id, "--dir", dir).CombinedOutput(); err != nil {
			b.Errorf("%v\n%s", err, out)
		}
	})
	return took
}

func raceForCheck(b *testing.B, rounds int, id, dir string) {
	b.Helper()
	program := released(b)
	raceFor(b, rounds, b.TempDir(),
		contender{"version", program + " version"},
		contender{"check", program + " lab check " + id + " --dir " + dir + " --assets " + filepath.Dir(tool(b, "kube-apiserver")) + " || test $? = 3"},
	)
}
