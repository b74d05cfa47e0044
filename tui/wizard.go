package tui

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/kubeclient"
	"github.com/pkictl/pkictl/lab"
)

// Options is what the wizard is given of the world outside.
type Options struct {
	In      io.Reader
	Out     io.Writer
	Environ []string // as os.Environ has it: TERM, COLORTERM, NO_COLOR

	Program    string // what it is called in commands that are shown: pkictl
	Version    string
	Dir        string       // PKI directory
	ClusterDir string       // of the control plane's PKI
	LabDir     string       // of the workspaces of labs
	Machine    *lab.Machine // what it has for labs

	// Now is the clock, to the second, in certificates; the wizard runs for longer
	// than a command.
	Now func() time.Time
	// Kubeconfig and Context are what --kubeconfig and --context say; empty where
	// they were not given. Commands that are shown repeat them.
	Kubeconfig, Context string
	// PassphraseFile is what --passphrase-file says; empty where it was not given.
	PassphraseFile string
	// Connect returns a client of the cluster that a kubeconfig names. Without one
	// it is Kubeconfig, or else what kubectl would read, and the context, if none is
	// named, Context; of a file that is named it is the current one. Nothing is sent.
	Connect func(file, context string) (*kubeclient.Client, error)
	// Kubeconfigs are the files that kubectl would read.
	Kubeconfigs []string
	// GivenPassphrase returns the passphrase of a file or of the environment, nil
	// where there is neither and it has to be asked for. The password of a PKCS#12
	// file, which is called ca.ExportName, is never that of a CA's key.
	GivenPassphrase func(name string) ([]byte, error)
	// AskPassphrase asks for one on the terminal without echo, twice for a new one,
	// where prompts are plain lines.
	AskPassphrase func(ctx context.Context, name string, isNew bool) ([]byte, error)
}

// world is what all screens share.
type world struct {
	Options
	ctx   context.Context // ends when the wizard does
	theme *theme
	// send has a message delivered to the update loop, from any goroutine.
	send func(tea.Msg)
	jobs jobs
	kept map[string]keptFlow // flows that were left; of the update loop
	// answers reads what is typed at plain prompts; answersFrom makes it.
	answers *answerReader
	chance  *rand.Rand // chooses the tasks of an exam; nil but in tests
}

// work returns a command that does what has to come to its end before the program
// does: whatever writes a file, or changes a cluster. Its context ends when the
// program is to; a screen that stops it alone makes one of its own from it.
func (w *world) work(do func(ctx context.Context) tea.Msg) tea.Cmd {
	return func() tea.Msg {
		if !w.jobs.begin() {
			return nil
		}
		defer w.jobs.done()
		return do(w.ctx)
	}
}

// rescueAfter is how long the program may take to leave the terminal once it was
// told to, before that is done without it.
const rescueAfter = 3 * time.Second

// Run shows the wizard until the user leaves it or ctx ends. The terminal is as
// it was before, whatever ends it. What is under way is cancelled and has come to
// its end when Run returns.
func Run(ctx context.Context, o Options) error {
	w := &world{Options: o}
	return w.run(ctx, newHome(w))
}

// gcPercent is how much garbage there may be to what is in use. The wizard stays
// for hours beside other programs, and draws pictures that are garbage at once:
// at Go's default of 100 it would take twice what it needs.
const gcPercent = 25

// run is Run with any screen for the first one.
func (w *world) run(outer context.Context, first screen) error {
	ctx, cancel := context.WithCancel(outer)
	defer cancel()
	defer debug.SetGCPercent(debug.SetGCPercent(gcPercent))
	profile := profileOf(w.Environ)
	w.ctx, w.theme = ctx, themeFor(true, profile)
	saved := saveTerminal(w.In)
	in := w.In
	var hungUp atomic.Bool
	if file, isFile := in.(*os.File); isFile && runtime.GOOS != "windows" {
		in = terminalInput{file, func() { hungUp.Store(true); cancel() }}
	}
	g := &guard{root: newRoot(w, first)}
	g.root.profile = profile
	// main has the signals: they end ctx. More than sixty pictures a second make
	// the first one, and that after a key, come sooner.
	hard, kill := context.WithCancel(context.WithoutCancel(ctx))
	defer kill()
	program := tea.NewProgram(g, tea.WithContext(hard), tea.WithInput(in), tea.WithOutput(w.Out),
		tea.WithEnvironment(w.Environ), tea.WithColorProfile(profile), tea.WithoutSignalHandler(), tea.WithFPS(framesPerSecond))
	w.send, g.send = program.Send, program.Send
	ended := make(chan error, 1)
	go func() {
		_, err := program.Run()
		ended <- err
	}()
	var err error
	select {
	case err = <-ended:
	case <-ctx.Done():
		go program.Quit() // it waits for its reader, which it does not where a context ends it
		select {
		case err = <-ended:
		case <-time.After(rescueAfter):
			saved.rescue(w.Out)
			kill() // what is under way must not wait for it
			err = failure.New(failure.Failed, "please report this as a bug", "the wizard did not answer, and was ended")
		}
	}
	cancel()
	w.finish()
	switch {
	case g.err() != nil:
		return g.err()
	case hungUp.Load() || outer.Err() != nil:
		return failure.New(failure.Failed, "", "interrupted")
	case err != nil:
		return failure.Wrap(err, failure.Failed, "try: "+w.Program+" wizard --accessible", "cannot use the terminal")
	}
	return nil
}

// framesPerSecond is how often what has changed is drawn, at most.
const framesPerSecond = 120

// finish waits for what is under way.
func (w *world) finish() {
	if w.jobs.end() > 0 {
		fmt.Fprintln(w.Out, "Waiting for what is under way to end.")
	}
	w.jobs.under.Wait()
}
