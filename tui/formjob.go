package tui

import (
	"context"
	"fmt"
	"time"

	tea "charm.land/bubbletea/v2"
)

// maxProgress is how many lines of progress are kept.
const maxProgress = 1000

// formWork is a function of a flow under way in a goroutine, and what it has said
// so far. All of it belongs to the update loop; the goroutine sends messages.
type formWork struct {
	*world
	cancel   context.CancelFunc
	running  bool
	stopping bool

	progress []progressLine
	dropped  int    // lines of progress that are not kept
	step     string // under way; empty for none
	waiting  string // a directory whose lock another one holds
	since    time.Time
	now      time.Time
	frame    int
	secret   *secretPrompt
}

// progressLine is what was done, or a warning.
type progressLine struct {
	text   string
	isWarn bool
}

// What the goroutine and the clock tell the screen with this work.
type (
	formTellMsg struct {
		work *formWork
		tell func(*formWork)
	}
	formWorkTickMsg struct {
		work *formWork
		at   time.Time
	}
	formEndMsg struct {
		work    *formWork
		err     error
		review  *review
		outcome *outcome
		text    string
	}
)

// startWork runs a function in a goroutine. What it returns comes as formEndMsg.
func (w *world) startWork(run func(ctx context.Context, j *job) formEndMsg) (*formWork, tea.Cmd) {
	ctx, cancel := context.WithCancel(w.ctx)
	work := &formWork{world: w, cancel: cancel, running: true}
	return work, tea.Batch(work.tick(), w.work(func(context.Context) tea.Msg {
		defer cancel()
		end := run(ctx, work.job(ctx))
		end.work = work
		return end
	}))
}

func (wk *formWork) tick() tea.Cmd {
	return tea.Tick(spinnerEvery, func(at time.Time) tea.Msg { return formWorkTickMsg{wk, at} })
}

// job is what the function reports to.
func (wk *formWork) job(ctx context.Context) *job {
	tell := func(change func(*formWork)) { wk.send(formTellMsg{wk, change}) }
	ask := func(isNew bool) func(string) ([]byte, error) {
		return func(name string) ([]byte, error) {
			return wk.askSecret(ctx, name, isNew, func(a *secretAsk) {
				tell(func(wk *formWork) { wk.prompt(a) })
			})
		}
	}
	return &job{
		begin: func(step string) { tell(func(wk *formWork) { wk.begin(step) }) },
		done:  func(what string) { tell(func(wk *formWork) { wk.add(what, false) }) },
		warn:  func(text string) { tell(func(wk *formWork) { wk.add(text, true) }) },
		waiting: func(dir string) {
			tell(func(wk *formWork) { wk.waiting, wk.since = dir, wk.now })
		},
		passphrase: ask(false), newPassphrase: ask(true),
	}
}

// prompt asks on the screen, unless the work has been told to stop and has gone.
func (wk *formWork) prompt(a *secretAsk) {
	if wk.running && !wk.stopping {
		wk.secret = newSecretPrompt(a)
	}
}

func (wk *formWork) begin(step string) {
	wk.step, wk.waiting, wk.since = step, "", wk.now
}

func (wk *formWork) add(what string, isWarn bool) {
	if !isWarn {
		wk.step, wk.waiting = "", ""
	}
	if len(wk.progress) == maxProgress {
		wk.progress = append(wk.progress[:0], wk.progress[1:]...)
		wk.dropped++
	}
	wk.progress = append(wk.progress, progressLine{what, isWarn})
}

// update takes a message for this work; the end of it is the screen's.
func (wk *formWork) update(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case formTellMsg:
		if msg.work == wk {
			msg.tell(wk)
		}
	case formWorkTickMsg:
		if msg.work == wk && wk.running {
			wk.frame++
			wk.now = msg.at
			if wk.since.IsZero() {
				wk.since = msg.at
			}
			return wk.tick()
		}
	}
	return nil
}

// ended is called with the end of the work.
func (wk *formWork) ended() {
	wk.running = false
	wk.closeSecret()
	wk.waiting = ""
}

func (wk *formWork) closeSecret() {
	if wk.secret != nil {
		wk.secret.wipe()
		wk.secret = nil
	}
}

// stop asks the work to end. It has when its end comes.
func (wk *formWork) stop() {
	if wk.running {
		wk.stopping = true
		wk.closeSecret()
		wk.cancel()
	}
}

// takesKey passes keys on to a prompt, and says whether there is one.
func (wk *formWork) takesKey(msg tea.Msg) bool {
	if wk == nil || wk.secret == nil {
		return false
	}
	switch msg := msg.(type) {
	case tea.KeyPressMsg:
		if wk.secret.press(msg) {
			wk.secret = nil
		}
	case tea.PasteMsg:
		wk.secret.paste(msg)
	default:
		return false
	}
	return true
}

// lines draws what was done, what is under way, and a prompt.
func (wk *formWork) lines(width, height int) []string {
	var now []string
	switch {
	case wk.secret != nil:
		now = append([]string{""}, wk.secret.lines(wk.world, width)...)
	case wk.stopping && wk.running:
		now = wk.wrapStyled(wk.theme.Warn, spinner(wk.frame)+" ", "stopping ...", width, 1)
	case wk.waiting != "" && wk.running:
		now = wk.wrapStyled(wk.theme.Warn, spinner(wk.frame)+" ", "waiting for another "+wk.Program+" that is changing "+wk.waiting+wk.seconds(), width, 2)
	case wk.running:
		step := wk.step
		if step == "" {
			step = "working"
		}
		now = wk.wrapStyled(wk.theme.Accent, spinner(wk.frame)+" ", step+" ..."+wk.seconds(), width, 2)
	}
	if len(now) > height {
		now = now[:max(height, 0)]
	}
	said := wk.said(width)
	if room := height - len(now); len(said) > room {
		said = said[len(said)-max(room, 0):]
	}
	return append(said, now...)
}

// said draws the lines of progress so far.
func (wk *formWork) said(width int) []string {
	var out []string
	if wk.dropped > 0 {
		out = append(out, wk.theme.Faint.Render(fmt.Sprintf("  (%d lines before)", wk.dropped)))
	}
	for _, line := range wk.progress {
		if line.isWarn {
			out = append(out, wk.wrapStyled(wk.theme.Warn, "! ", line.text, width, 4)...)
		} else {
			out = append(out, wk.theme.Good.Render("✓ ")+clip(line.text, width-2))
		}
	}
	return out
}

// seconds says how long it has been, from the third on.
func (wk *formWork) seconds() string {
	if wk.since.IsZero() || wk.now.Sub(wk.since) < 2*time.Second {
		return ""
	}
	return fmt.Sprintf("  %d s", int(wk.now.Sub(wk.since).Seconds()))
}
