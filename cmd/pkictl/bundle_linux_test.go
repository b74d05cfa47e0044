package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

const bundlePassphrase = "correct horse battery"

// agePeer returns the path of age's own program.
func agePeer(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs("../../tools/bin/age")
	ok(t, err)
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v (make test builds it)", err)
	}
	return path
}

// sharedNames are the files of a bundle of what kubeadm made.
var sharedNames = []string{
	"pki/ca.crt", "pki/ca.key", "pki/front-proxy-ca.crt", "pki/front-proxy-ca.key",
	"pki/etcd/ca.crt", "pki/etcd/ca.key", "pki/sa.key", "pki/sa.pub",
}

// checkShared checks that two cluster directories have the same shared files.
func checkShared(t testing.TB, what, want, got string) {
	t.Helper()
	for _, name := range sharedNames {
		a, err := os.ReadFile(filepath.Join(want, name))
		ok(t, err)
		if b, err := os.ReadFile(filepath.Join(got, name)); err != nil || string(a) != string(b) {
			t.Errorf("%s: %s is not the same (%v)", what, name, err)
		}
	}
}

// TestBundlePrompt types a passphrase, for pkictl and for age: each opens what
// the other has made.
func TestBundlePrompt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	kubeadmInit(t, filepath.Join(dir, "kubernetes"))
	p := newTerminal(t)
	cmd := p.start(program(dir, "cluster", "bundle"))
	p.answer(`Enter the passphrase of bundle "kubernetes-bundle.age": `, bundlePassphrase+"\n")
	p.answer(`Enter the same passphrase again, of bundle "kubernetes-bundle.age": `, bundlePassphrase+"\n")
	if shown := p.ends(cmd, 0, "correct", "battery"); !strings.Contains(shown, "\nWrote kubernetes-bundle.age\n") {
		t.Error(shown)
	}
	p = newTerminal(t)
	cmd = p.start(program(dir, "cluster", "restore", "kubernetes-bundle.age", "--dir", "new"))
	p.answer(`Enter the passphrase of bundle "kubernetes-bundle.age": `, bundlePassphrase+"\n")
	p.ends(cmd, 0, "correct", "battery")
	checkShared(t, "restored", filepath.Join(dir, "kubernetes"), filepath.Join(dir, "new"))

	// The recipe of --explain has age ask.
	byAge := func(recipe string, prompts ...string) {
		t.Helper()
		p := newTerminal(t)
		cmd := exec.Command("sh", "-c", recipe)
		cmd.Dir, cmd.Env = dir, []string{"PATH=" + filepath.Dir(agePeer(t)) + ":" + os.Getenv("PATH")}
		p.start(cmd)
		for _, prompt := range prompts {
			p.waitFor(prompt, func() bool { return strings.Contains(p.text(), prompt) && !p.echoes() })
			_, err := p.control.WriteString(bundlePassphrase + "\n")
			ok(t, err)
		}
		p.ends(cmd, 0, "correct", "battery")
	}
	byAge(do(t, dir, "cluster", "bundle", "--out", "by-age.age", "--explain"), "Enter passphrase", "Confirm passphrase")
	p = newTerminal(t)
	cmd = p.start(program(dir, "cluster", "restore", "by-age.age", "--dir", "from-age"))
	p.answer(`Enter the passphrase of bundle "by-age.age": `, bundlePassphrase+"\n")
	p.ends(cmd, 0, "correct", "battery")
	checkShared(t, "restored from age's", filepath.Join(dir, "kubernetes"), filepath.Join(dir, "from-age"))
	byAge(do(t, dir, "cluster", "restore", "kubernetes-bundle.age", "--dir", "by-age", "--explain"), "Enter passphrase")
	checkShared(t, "opened by age", filepath.Join(dir, "kubernetes"), filepath.Join(dir, "by-age"))
}

// TestBundlePromptRefusals: what is typed wrongly writes nothing.
func TestBundlePromptRefusals(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	kubeadmInit(t, filepath.Join(dir, "kubernetes"))
	const first, again = `Enter the passphrase of bundle "x.age": `, `Enter the same passphrase again, of bundle "x.age": `
	before := snapshot(t, dir)
	for _, test := range []struct {
		name    string
		answers []string
		code    int
		says    string
	}{
		{"two that differ", []string{bundlePassphrase + "\n", "correct\n"}, 1, `the two passphrases of bundle "x.age" differ`},
		{"too short", []string{"correct\n"}, 2, `the passphrase for bundle "x.age" has 7 characters, and needs 8`},
		{"none", []string{"\n"}, 1, "was entered"},
		{"end of input", []string{"\x04\n"}, 1, "was entered"},
		{"Ctrl-C", []string{"corr\x03"}, 1, "interrupted"},
	} {
		p := newTerminal(t)
		cmd := p.start(program(dir, "cluster", "bundle", "--out", "x.age"))
		for i, text := range test.answers {
			p.answer([]string{first, again}[i], text)
		}
		if shown := p.ends(cmd, test.code, "corr"); !strings.Contains(shown, test.says) || !strings.Contains(shown, "\nhint: ") {
			t.Errorf("%s: want %q in\n%s", test.name, test.says, shown)
		}
		checkUnchanged(t, test.name, dir, before)
	}
	// Key material is no text for a terminal.
	p := newTerminal(t)
	cmd := p.start(program(dir, "cluster", "bundle", "--out", "-"))
	if shown := p.ends(cmd, 2); !strings.Contains(shown, "is binary and not for a terminal") {
		t.Error(shown)
	}
	checkUnchanged(t, "to a terminal", dir, before)
}

// TestKillRestore kills cluster restore before every one of its system calls
// that change anything. The next run completes it, whether that is the same or
// one that takes a bundle of what is there.
func TestKillRestore(t *testing.T) {
	t.Parallel()
	s := newBundleSite(t)
	restore := append(restoreOf("good.age"), "-q")
	bundle := in("cluster", "bundle", "--recipient", s.recipient.String(), "--dir", "new", "--out", "again.age", "--force")
	did, didNot, refused := 0, 0, 0
	for n := 1; ; n++ {
		ok(t, os.RemoveAll(filepath.Join(s.dir, "new")))
		if _, reached := breakAt(t, program(s.dir, restore...), n, killed); !reached {
			break
		}
		what := fmt.Sprintf("killed at %d", n)
		found := 0
		for _, name := range sharedNames {
			if _, err := os.Stat(filepath.Join(s.dir, "new", name)); err == nil {
				found++
			}
		}
		if found == 0 {
			didNot++
		} else {
			did++
		}
		if n%2 == 0 {
			do(t, s.dir, restore...)
		} else if got := runProgram(t, program(s.dir, bundle...)); got.code != 0 {
			checkRefusal(t, what, got, 1, `there is no cluster CA in "new"`, "--dir")
			refused++
			continue
		} else if strings.Contains(got.stderr, "warning") {
			t.Errorf("%s: the bundle is not complete: %s", what, got.stderr)
		}
		checkShared(t, what, filepath.Join(s.dir, "kubernetes"), filepath.Join(s.dir, "new"))
		checkModes(t, what, filepath.Join(s.dir, "new"))
		checkRestored(t, what, filepath.Join(s.dir, "new", "pki"))
	}
	t.Logf("killed %d times before it was done, %d times after; %d bundles were refused", didNot, did, refused)
	if didNot < 20 || did < 3 || refused < 10 || refused > didNot {
		t.Errorf("killed %d times before it was done, %d times after; %d bundles were refused: the kills miss the point", didNot, did, refused)
	}
}

// checkRestored checks that nothing of a killed run is left.
func checkRestored(t testing.TB, what, pki string) {
	t.Helper()
	for _, dir := range []string{filepath.Dir(pki), pki, filepath.Join(pki, "etcd")} {
		entries, err := os.ReadDir(dir)
		ok(t, err)
		for _, entry := range entries {
			name := entry.Name()
			if strings.HasPrefix(name, ".") && name != ".lock" && name != ".staging" || entry.Type()&os.ModeSymlink != 0 {
				t.Errorf("%s: %s was left in %s", what, name, dir)
			}
		}
	}
	if left, err := unfinished(filepath.Join(pki, ".staging")); left != "" || err != nil {
		t.Errorf("%s: left in .staging: %s (%v)", what, left, err)
	}
}

// checkModes checks that keys are for their owner alone.
func checkModes(t testing.TB, what, dir string) {
	t.Helper()
	for _, name := range append([]string{".", "pki", "pki/etcd"}, sharedNames...) {
		info, err := os.Stat(filepath.Join(dir, name))
		ok(t, err)
		want := os.FileMode(0o600)
		switch {
		case info.IsDir():
			want = 0o700
		case strings.HasSuffix(name, ".crt"):
			want = 0o644
		}
		if info.Mode().Perm() != want {
			t.Errorf("%s: %s has mode %04o, want %04o", what, name, info.Mode().Perm(), want)
		}
	}
}

// TestFaultyDiskRestore has each call of cluster restore that changes files fail
// once, as on a disk that is full.
func TestFaultyDiskRestore(t *testing.T) {
	t.Parallel()
	s := newBundleSite(t)
	restore := append(restoreOf("good.age"), "-q")
	fault, failed := syscall.ENOSPC, 0
	for n := 1; ; n++ {
		ok(t, os.RemoveAll(filepath.Join(s.dir, "new")))
		before := snapshot(t, s.dir)
		got, reached := breakAt(t, program(s.dir, restore...), n, fault)
		if !reached {
			break
		}
		what := fmt.Sprintf("%v at %d", fault, n)
		if got.code == 0 {
			checkShared(t, what, filepath.Join(s.dir, "kubernetes"), filepath.Join(s.dir, "new"))
			continue
		}
		failed++
		if !strings.HasPrefix(got.stderr, "error: ") {
			t.Errorf("%s: %s", what, got.stderr)
		}
		if _, err := os.Stat(filepath.Join(s.dir, "new", "pki", "ca.key")); err != nil {
			checkUnchanged(t, what, s.dir, before)
		}
		do(t, s.dir, restore...)
		checkShared(t, what, filepath.Join(s.dir, "kubernetes"), filepath.Join(s.dir, "new"))
	}
	if failed < 10 {
		t.Errorf("%d runs failed: the faults miss the point", failed)
	}
}

// TestRestoreTogether: of several at once each has the same result.
func TestRestoreTogether(t *testing.T) {
	t.Parallel()
	s := newBundleSite(t)
	begun := make([]*exec.Cmd, 6)
	for i := range begun {
		begun[i] = program(s.dir, append(restoreOf("good.age"), "-q")...)
		ok(t, begun[i].Start())
	}
	for _, cmd := range begun {
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	}
	checkShared(t, "together", filepath.Join(s.dir, "kubernetes"), filepath.Join(s.dir, "new"))
	checkRestored(t, "together", filepath.Join(s.dir, "new", "pki"))
}
