package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/pkictl/pkictl/ca"
)

// What a progress bar looks like, and when it shows: nobody needs one for what
// is done at once.
const (
	barWidth   = 24
	barAfter   = 500 * time.Millisecond
	barRefresh = 100 * time.Millisecond
)

// progress is a line on a terminal that says how far a command is.
type progress struct {
	w     io.Writer // nil: it shows nothing
	total int       // 0: not known
	unit  string    // behind numbers, such as " MiB"
	begun time.Time
	drawn time.Time
	shown bool
}

// newProgress returns a bar, which stays hidden where standard error is no
// terminal.
func (a *app) newProgress(total int) *progress {
	p := &progress{total: total, begun: time.Now()}
	if !a.quiet && isTerminal(a.err) {
		p.w = a.err
	}
	return p
}

// show draws the bar, with rate and remaining time.
func (p *progress) show(done int) {
	now := time.Now()
	if p.w == nil || now.Sub(p.begun) < barAfter || now.Sub(p.drawn) < barRefresh {
		return
	}
	p.drawn, p.shown = now, true
	fmt.Fprint(p.w, "\r\x1b[K"+p.line(done, now.Sub(p.begun)))
}

func (p *progress) line(done int, spent time.Duration) string {
	rate := float64(done) / max(spent.Seconds(), 0.001)
	if p.total == 0 {
		return fmt.Sprintf("  %d%s  %.0f%s/s", done, p.unit, rate, p.unit)
	}
	done = min(done, p.total)
	filled := barWidth * done / p.total
	bar := strings.Repeat("#", filled) + strings.Repeat(".", barWidth-filled)
	left := time.Duration(float64(p.total-done) / max(rate, 0.001) * float64(time.Second))
	return fmt.Sprintf("  [%s] %d of %d%s  %.0f%s/s  %s left", bar, done, p.total, p.unit, rate, p.unit, ca.FormatValidity(left))
}

// clear takes the bar away, for something else to be written.
func (p *progress) clear() {
	if p.shown {
		fmt.Fprint(p.w, "\r\x1b[K")
		p.shown = false
	}
}
