package store

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// children are what this test binary does when it is started again as another
// process: by name, with the arguments that are left.
var children = map[string]func(args []string) error{
	"commit": commitForever,
	"hold":   holdLock,
	"write":  dieInTransaction,
}

func TestMain(m *testing.M) {
	name := os.Getenv("PKICTL_TEST_CHILD")
	if name == "" {
		os.Exit(m.Run())
	}
	if err := children[name](os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// startChild starts one and waits until it says that it is ready.
func startChild(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), "PKICTL_TEST_CHILD="+name)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	check(t, err)
	check(t, cmd.Start())
	t.Cleanup(func() { kill(cmd) })
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil && err != io.EOF {
		t.Fatalf("%s: %q, %v", name, line, err)
	}
	return cmd
}

func kill(cmd *exec.Cmd) {
	_ = cmd.Process.Kill()
	_ = cmd.Wait() // it says that it was killed
}

// commitForever commits one generation after the other to a directory.
func commitForever(args []string) error {
	dir, err := Lock(context.Background(), args[0], nil)
	if err != nil {
		return err
	}
	begun := time.Now().UnixNano()
	for n := begun; ; n++ {
		if err := dir.Commit((place{pki: args[0], paths: args[1:]}).files(strconv.FormatInt(n, 10)), true, nil); err != nil {
			return err
		}
		if n == begun {
			fmt.Println("ready")
		}
	}
}

// TestCommitKilled kills a process that replaces files without pause.
func TestCommitKilled(t *testing.T) {
	t.Parallel()
	const rounds = 60
	p := newPlace(t, "")
	p.write("1", [3]bool{true, true, true})
	seen := map[string]bool{}
	delay := time.Millisecond
	for round := range rounds {
		child := startChild(t, "commit", append([]string{p.pki}, p.paths...)...)
		time.Sleep(delay)
		delay = (delay*7/3 + 137*time.Microsecond) % (20 * time.Millisecond) // spread, and the same in every run
		kill(child)
		found := p.read()
		if found[0] == "" || !same(found, found[0]) {
			t.Fatalf("round %d: readers see generations %q", round, found)
		}
		p.lock().Unlock()
		after := p.read()
		if !same(after, found[0]) {
			t.Fatalf("round %d: %q became %q by recovery", round, found, after)
		}
		p.checkTidy()
		seen[found[0]] = true
	}
	if len(seen) != rounds {
		t.Errorf("%d rounds show %d generations only", rounds, len(seen))
	}
}

// holdLock takes the lock and keeps it.
func holdLock(args []string) error {
	if _, err := Lock(context.Background(), args[0], nil); err != nil {
		return err
	}
	fmt.Println("ready")
	select {}
}

// dieInTransaction leaves a hot journal: it has written part of a transaction
// to the database itself when it kills itself.
func dieInTransaction(args []string) error {
	inv, err := openInventory(filepath.Join(args[0], inventoryName), true)
	if err != nil {
		return err
	}
	// A cache of no pages writes them out long before the end.
	if _, err := inv.db.Exec("PRAGMA cache_size = 0"); err != nil {
		return err
	}
	tx, err := inv.db.Beginx()
	if err != nil {
		return err
	}
	if _, err := tx.Exec("UPDATE certificates SET common_name = 'half'"); err != nil {
		return err
	}
	for i := range 500 {
		_, err := tx.Exec(`INSERT INTO certificates (serial_number, authority_key_identifier, status, pem)
			VALUES (?, 'x', 'good', ?)`, strconv.Itoa(1000+i), string(make([]byte, 1000)))
		if err != nil {
			return err
		}
	}
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		return err
	}
	if err := self.Kill(); err != nil {
		return err
	}
	select {}
}
