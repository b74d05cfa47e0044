package tui

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// BenchmarkInventory reads an inventory of 100,000 certificates and presses keys,
// on a screen of 200 by 60 cells. It reports how long the reading takes and until
// the first rows are there, how long each key takes to its next frame, and how
// long until what it has computed is there; and the memory of the process, which
// the tests share.
func BenchmarkInventory(b *testing.B) {
	const rows = 100_000
	dir := filepath.Join(b.TempDir(), "pki")
	generateInventory(b, dir, rows)
	w := newInventoryWorld(dir)
	w.Now = time.Now
	var s *inventoryScreen
	b.Run("read", func(b *testing.B) {
		var first, all time.Duration
		for b.Loop() {
			begun := time.Now()
			s = newInventory(w)
			_, cmd := s.Update(s.Init()())
			_ = s.View(200, 56)
			first += time.Since(begun)
			runInventory(s, cmd)
			all += time.Since(begun)
		}
		if s.data.table.count < rows {
			b.Fatalf("%d certificates, %v", s.data.table.count, s.err)
		}
		b.ReportMetric(inventoryMillis(first, b.N), "ms-to-first-rows")
		b.ReportMetric(inventoryMillis(all, b.N), "ms-to-all")
		b.ReportMetric(inventoryMemory(b, "VmHWM"), "MB-at-most")
		b.ReportMetric(inventoryMemory(b, "VmRSS"), "MB")
	})
	for _, pressed := range []string{"down", "pgdown", "end", "home", "S", "1", "2", "3", "4", "5", "6", "u", "9"} {
		isTyped := pressed == "u" || pressed == "9" // into the filter
		b.Run("key "+pressed, func(b *testing.B) {
			var frame, computed time.Duration
			for b.Loop() {
				clear(s.data.sorted)
				s.isFilter, s.typed = isTyped, ""
				begun := time.Now()
				_, cmd := s.Update(inventoryKey(pressed))
				_ = s.View(200, 56)
				frame += time.Since(begun)
				runInventory(s, cmd)
				_ = s.View(200, 56)
				computed += time.Since(begun)
			}
			b.ReportMetric(inventoryMillis(frame, b.N), "ms-to-frame")
			b.ReportMetric(inventoryMillis(computed, b.N), "ms-to-computed")
		})
	}
}

func inventoryMillis(d time.Duration, n int) float64 {
	return float64(d.Microseconds()) / 1000 / float64(n)
}

// inventoryMemory reads a value of /proc/self/status in megabytes; 0 where there
// is none.
func inventoryMemory(b *testing.B, name string) float64 {
	b.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		var kilobytes float64
		if _, err := fmt.Sscanf(line, name+": %f kB", &kilobytes); err == nil {
			return kilobytes / 1000
		}
	}
	return 0
}
