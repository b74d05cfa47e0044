package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pkictl/pkictl/lab"
)

const (
	// watchPoll is how often a workspace is looked at for changes.
	watchPoll = 300 * time.Millisecond
	// watchCluster is how often a lab is graded whose state is in a cluster, where no
	// file says that something has changed.
	watchCluster = 4 * time.Second
)

// labWatcher grades a workspace again and again.
type labWatcher struct {
	a      *app
	chosen *labChosen
	space  *lab.Workspace
	screen bool // it is drawn on a terminal, in place

	result   *lab.Result
	progress lab.Progress
	err      error // of the last grading
	at       time.Time
	drawn    string
	spent    time.Duration
}

// labWatch grades until the lab has passed or ctx ends. On a terminal the result is
// drawn in place; elsewhere, or in JSON, each that differs from the one before is
// written.
func (a *app) labWatch(ctx context.Context, chosen *labChosen, space *lab.Workspace) error {
	a.stopsOthers() // a terminal is given back as it was
	w := &labWatcher{a: a, chosen: chosen, space: space, screen: !a.quiet && a.output == "text" && isTerminal(a.out) && a.env("TERM") != "dumb"}
	if w.screen {
		fmt.Fprint(a.out, "\x1b[?1049h\x1b[?25l") // a screen of its own, without a cursor
	}
	err := w.watch(ctx)
	if w.screen {
		fmt.Fprint(a.out, "\x1b[?25h\x1b[?1049l")
	}
	if kept := w.keepSpent(); err == nil {
		err = kept
	}
	if err != nil {
		return err
	}
	if w.screen && w.result != nil { // what is left when the screen is gone
		if err := a.printLabChecked(chosen, space, w.result, w.progress); err != nil {
			return err
		}
	}
	if w.result == nil || !w.result.Passed() {
		return errFound
	}
	return nil
}

// watch returns nil when it has passed or was told to end.
func (w *labWatcher) watch(ctx context.Context) error {
	cluster := w.space.Lab.HasCluster()
	stamp, looked := "", time.Now()
	for ctx.Err() == nil {
		now := time.Now()
		w.spent += min(now.Sub(looked), maxWatchStep)
		looked = now
		seen := w.space.Stamp()
		if seen != stamp || cluster && now.Sub(w.at) >= watchCluster || w.err != nil {
			stamp = seen
			if err := w.grade(ctx, now); err != nil {
				return err
			}
		}
		w.draw()
		if w.result != nil && w.result.Passed() && w.err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
		case <-time.After(watchPoll):
		}
	}
	return nil
}

// grade grades once. What is wrong at the first time is an error; later it may pass:
// a workspace is being reset, a cluster restarted.
func (w *labWatcher) grade(ctx context.Context, now time.Time) error {
	result, progress, err := w.chosen.progress().Grade(ctx, w.space, now.Truncate(time.Second))
	w.at = now
	switch {
	case ctx.Err() != nil:
		return nil //nolint:nilerr // whoever ends it is told what was there before
	case err != nil && w.result == nil:
		return w.a.labStartsAgain(w.chosen, err)
	case err != nil:
		w.err = err
		return nil //nolint:nilerr // it is shown, and tried again
	}
	changed := w.result == nil || w.err != nil || !slices.Equal(result.Checks, w.result.Checks)
	w.result, w.progress, w.err = result, progress, nil
	if changed && !w.screen {
		return w.a.printLabWatched(w)
	}
	return nil
}

// printLabWatched writes a result where nothing can be drawn in place.
func (a *app) printLabWatched(w *labWatcher) error {
	if a.output == "yaml" && !a.quiet {
		if _, err := fmt.Fprintln(a.out, "---"); err != nil {
			return err
		}
	}
	return a.printLabChecked(w.chosen, w.space, w.result, w.progress)
}

// draw draws the result in place, as much of it as there is room for.
func (w *labWatcher) draw() {
	if !w.screen || w.result == nil {
		return
	}
	var b strings.Builder
	p := w.a.labPage(&b)
	p.labChecked(w.space.Lab, w.result)
	note := "Graded at " + w.at.Format(time.TimeOnly) + ", and again when something changes. Ctrl-C ends it."
	if w.err != nil {
		note = "It cannot be graded now: " + oneLine(w.err.Error()) + ". Ctrl-C ends it."
	}
	lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	b.Reset()
	p.text("", note)
	foot := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	// The last lines are the verdict and the note; they are always seen.
	verdict := lines[len(lines)-1]
	lines = lines[:len(lines)-1]
	if room := max(1, p.height-len(foot)-1); p.height > 0 && len(lines) > room {
		lines = append(lines[:max(0, room-1)], p.paint(sgrFaint, "… the terminal is not high enough for all"))
	}
	lines = append(append(lines, verdict), foot...)
	picture := "\x1b[H" + strings.Join(lines, "\x1b[K\r\n") + "\x1b[K\x1b[J"
	if picture == w.drawn {
		return
	}
	w.drawn = picture
	fmt.Fprint(w.a.out, picture)
}

// keepSpent adds the time to what is kept, unless the lab had passed before.
func (w *labWatcher) keepSpent() error {
	if w.spent < time.Second || w.result == nil {
		return nil
	}
	_, err := w.chosen.progress().Update(context.Background(), w.chosen.ID, func(p *lab.Progress) error {
		if p.PassedAt.IsZero() || w.result.Passed() && p.PassedAt.Equal(w.at.Truncate(time.Second)) {
			p.Spent += w.spent.Truncate(time.Second)
		}
		return nil
	})
	return err
}
