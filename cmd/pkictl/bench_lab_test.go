//go:build unix

package main_test

import (
	"os/exec"
	"testing"
)

// BenchmarkLabCheck grades labs of files as the whole program does at a prompt, before
// anything was done, so that it exits with 3; and beside it the program that does
// nothing.
func BenchmarkLabCheck(b *testing.B) {
	program := released(b)
	for _, id := range []string{"key-and-csr", "network-allow-list", "seccomp-profiles", "audit-policy"} {
		b.Run(id, func(b *testing.B) {
			dir := b.TempDir()
			if out, err := exec.Command(program, "lab", "start", id, "--dir", dir, "--quiet").CombinedOutput(); err != nil {
				b.Fatalf("%v\n%s", err, out)
			}
			race(b, b.TempDir(),
				contender{"version", program + " version"},
				contender{"check", program + " lab check " + id + " --dir " + dir + " || test $? = 3"},
			)
		})
	}
}
