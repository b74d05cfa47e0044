// Package tui is the wizard: screens on a terminal that ask for what the flags of
// the commands say, fill the same options, call the same functions, and show the
// command that would have done it.
package tui

import (
	"context"
	"errors"
	"io"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/pkictl/pkictl/internal/kubeclient"
)

// Options is what the wizard is given of the world outside.
type Options struct {
	In      io.Reader
	Out     io.Writer
	Environ []string // as os.Environ has it: TERM, COLORTERM, NO_COLOR

	Program    string // what it is called in commands that are shown: pkictl
	Version    string
	Dir        string // PKI directory
	ClusterDir string // of the control plane's PKI
	LabDir     string // of the workspaces of labs

	// Now is the clock, to the second, in certificates; the wizard runs for longer
	// than a command.
	Now func() time.Time
	// Connect returns a client of the cluster that a kubeconfig names: "" for the
	// one that kubectl would read, and "" for its current context. Nothing is sent.
	Connect func(file, context string) (*kubeclient.Client, error)
	// Kubeconfigs are the files that kubectl would read.
	Kubeconfigs []string
	// GivenPassphrase returns the passphrase of a file or of the environment, nil
	// where there is neither and it has to be asked for.
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
	// answers reads what is typed at plain prompts; answersFrom makes it.
	answers *answerReader
}

// Run shows the wizard until the user leaves it or ctx ends. The terminal is as
// it was before, whatever ends it. What is under way is cancelled and has come to
// its end when Run returns.
func Run(ctx context.Context, o Options) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w := &world{Options: o, ctx: ctx, theme: newTheme(true)}
	program := tea.NewProgram(newRoot(w, newHome(w)),
		tea.WithContext(ctx), tea.WithInput(o.In), tea.WithOutput(o.Out), tea.WithEnvironment(o.Environ))
	w.send = program.Send
	_, err := program.Run()
	if errors.Is(err, tea.ErrProgramKilled) && ctx.Err() != nil || errors.Is(err, tea.ErrInterrupted) {
		return nil
	}
	return err
}
