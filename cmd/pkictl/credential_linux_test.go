package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestKillCredential kills the command before each of its system calls that
// change anything. Whatever it leaves, the next one hands out a credential, and
// by request there is one object.
func TestKillCredential(t *testing.T) {
	t.Parallel()
	c := sharedCluster(t)
	for via, args := range map[string][]string{
		"ca":  {"--via", "ca", "--dir", "pki"},
		"csr": {"--via", "csr", "--kubeconfig", c.admin, "--approve"},
	} {
		t.Run(via, func(t *testing.T) {
			t.Parallel()
			c := sharedCluster(t)
			c.pkictl("init-ca")
			cache := filepath.Join(c.dir, "cache")
			for n := 1; ; n++ {
				if n > 200 {
					t.Fatal("it never ends")
				}
				user := fmt.Sprintf("credential-kill-%s-%d", via, n)
				args := append(args, "--cn", user, "--cache", "cache")
				_, reached := breakAt(t, credentialProgram(c.dir, args...), n, killed)
				got := runProgram(t, credentialProgram(c.dir, args...))
				if got.code != 0 || got.stderr != "" {
					t.Fatalf("after a kill at %d: %+v", n, got)
				}
				answerOf(t, got.stdout)
				if requests := c.requestsOf(user); via == "csr" && len(requests) != 1 {
					t.Fatalf("after a kill at %d there are %v", n, requests)
				}
				files, err := os.ReadDir(cache)
				ok(t, err)
				if len(files) == 3 { // killed when all but the key on its way was in place: that is not used again
					next := runProgram(t, credentialProgram(c.dir, append(args, "--renew")...))
					if next.code != 0 || answerOf(t, next.stdout).ClientKeyData == answerOf(t, got.stdout).ClientKeyData {
						t.Errorf("after a kill at %d: %+v", n, next)
					}
					files, err = os.ReadDir(cache)
					ok(t, err)
				}
				if len(files) != 2 { // the credential and its lock
					t.Fatalf("after a kill at %d there are %v", n, files)
				}
				ok(t, os.RemoveAll(cache))
				if !reached {
					t.Logf("it has %d such calls", n-1)
					if n < 10 {
						t.Errorf("only %d", n)
					}
					break
				}
			}
			checkNoKeys(t, c.dir)
		})
	}
}

// checkNoKeys checks that no file below a directory but the CA's own holds a key.
func checkNoKeys(t *testing.T, dir string) {
	t.Helper()
	for path, content := range snapshot(t, dir) {
		if strings.Contains(content, "PRIVATE KEY") && filepath.Base(path) != "ca.key" {
			t.Errorf("%s holds a key", path)
		}
	}
}

// TestCredentialOnFullDisk: a cache that cannot be written costs a warning.
func TestCredentialOnFullDisk(t *testing.T) {
	t.Parallel()
	for _, s := range scarcities {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			site := newSite(t)
			root := mountSmall(t, "size=1m,nr_inodes=200,mode=700")
			s.take(t, root, 0)
			args := in("--cn", "jane", "--via", "ca", "--cache", filepath.Join(root, "cache"))
			got := runProgram(t, credentialProgram(site, args...))
			if got.code != 0 || strings.Count(got.stderr, "\n") != 1 || !strings.Contains(got.stderr, "warning: the credential is not kept: ") ||
				!strings.Contains(got.stderr, "no space left") {
				t.Errorf("%+v", got)
			}
			answerOf(t, got.stdout)
			s.give(t, root)
			first := runProgram(t, credentialProgram(site, args...))
			if again := runProgram(t, credentialProgram(site, args...)); first.code != 0 || first.stderr != "" || first != again {
				t.Errorf("with room again: %+v\n%+v", first, again)
			}
			// Full while it is to be renewed.
			s.take(t, root, 0)
			full := runProgram(t, credentialProgram(site, append(args, "--renew")...))
			if full.code != 0 || full.stdout == first.stdout || !strings.Contains(full.stderr, "no space left") {
				t.Errorf("%+v", full)
			}
			if again := runProgram(t, credentialProgram(site, args...)); again != first {
				t.Errorf("the old one is no longer there: %+v", again)
			}
		})
	}
}
