package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// BenchmarkWizard measures the real program on a terminal of 200 by 60 cells, with
// 100,000 certificates in the inventory: how long until its first frame, from a key
// to the next frame, what it takes of a core where nothing happens, and its memory
// at most.
func BenchmarkWizard(b *testing.B) {
	dir := b.TempDir()
	newInventory(b, filepath.Join(dir, "pki"), 100_000, false)
	b.ReportMetric(0, "ns/op")
	var first []time.Duration
	for range 21 {
		begun := time.Now()
		w := startBenched(b, dir)
		first = append(first, time.Since(begun))
		w.leave()
	}
	b.ReportMetric(milliseconds(median(first)), "ms-to-first-frame")

	w := startBenched(b, dir)
	w.typed("inventory")
	w.settle(time.Second)
	w.typed("\r")
	w.settle(3 * time.Second) // all are read
	for name, key := range map[string]string{"down": "\x1b[B", "pgdown": "\x1b[6~", "sort": "s", "filter": "/u\x7f\x1b"} {
		var times []time.Duration
		for range 40 {
			times = append(times, w.frame(key))
		}
		b.ReportMetric(milliseconds(median(times)), name+"-ms")
		b.ReportMetric(milliseconds(slices.Max(times)), name+"-ms-at-most")
	}
	time.Sleep(2 * time.Second) // what the keys have begun ends
	before := w.spent()
	const idle = 10 * time.Second
	time.Sleep(idle)
	b.ReportMetric(100*float64(w.spent()-before)/float64(idle), "idle-percent")
	b.ReportMetric(w.memory("VmHWM"), "MB-at-most")
	w.leave()
}

type benchedWizard struct {
	*pseudoTerminal
	cmd *exec.Cmd
}

func startBenched(b *testing.B, dir string) benchedWizard {
	b.Helper()
	p := newTerminal(b)
	ok(b, unix.IoctlSetWinsize(int(p.tty.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 60, Col: 200}))
	cmd := exec.Command(released(b), "wizard")
	cmd.Dir = dir
	cmd.Env = []string{"TERM=xterm-256color", "HOME=" + dir}
	p.start(cmd)
	b.Cleanup(func() { _ = cmd.Process.Kill() }) // it has ended where all went well
	p.waitFor("the first frame", func() bool { return strings.Contains(p.text(), "Home") })
	return benchedWizard{p, cmd}
}

func (w benchedWizard) typed(keys string) {
	w.t.Helper()
	_, err := w.control.WriteString(keys)
	ok(w.t, err)
}

// frame presses a key and returns how long it took until something was drawn; it
// comes back when no more is.
func (w benchedWizard) frame(key string) time.Duration {
	before := len(w.text())
	begun := time.Now()
	w.typed(key)
	for len(w.text()) == before {
		if time.Since(begun) > time.Minute {
			w.t.Fatalf("nothing is drawn after %q", key)
		}
		time.Sleep(50 * time.Microsecond)
	}
	took := time.Since(begun)
	w.settle(50 * time.Millisecond)
	return took
}

// settle waits until nothing has been drawn for that long.
func (w benchedWizard) settle(quiet time.Duration) {
	for drawn := -1; drawn != len(w.text()); time.Sleep(quiet) {
		drawn = len(w.text())
	}
}

func (w benchedWizard) leave() {
	w.t.Helper()
	w.typed("\x03")
	ok(w.t, w.cmd.Wait())
}

// spent is the processor time that the program has taken.
func (w benchedWizard) spent() time.Duration {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", w.cmd.Process.Pid))
	ok(w.t, err)
	_, rest, _ := strings.Cut(string(data), ") ")
	fields := strings.Fields(rest)
	ticks := 0
	for _, field := range fields[11:13] { // utime and stime, in hundredths of a second: proc(5)
		n, err := strconv.Atoi(field)
		ok(w.t, err)
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

// memory returns a value of /proc/PID/status in megabytes.
func (w benchedWizard) memory(name string) float64 {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", w.cmd.Process.Pid))
	ok(w.t, err)
	_, rest, _ := strings.Cut(string(data), name+":")
	kilobytes, err := strconv.Atoi(strings.Fields(rest)[0])
	ok(w.t, err)
	return float64(kilobytes) / 1000
}
