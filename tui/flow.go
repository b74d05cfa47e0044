package tui

import (
	"context"

	"github.com/pkictl/pkictl/ca"
)

// flow is something that the wizard does for the user: it asks in steps, shows
// what would be written or sent, and does it. It is data and glue; the engine in
// form.go draws it, on a terminal and in plain prompts.
type flow interface {
	// title names it, always the same: "Credential".
	title() string
	// steps are asked in their order. They are made once; their fields point into
	// the flow, which therefore keeps what was typed.
	steps() []step
	// command returns the arguments of the pkictl command that the flow stands for,
	// without the name of the program: what differs from the defaults, no more.
	// It is called after every key, also while answers are incomplete.
	command() []string
	// explain returns the recipe for openssl or kubectl, as --explain prints it.
	explain(ctx context.Context) (string, error)
	// review says what run would do, having checked everything that can be checked
	// without doing it: with the function's own DryRun, where it has one.
	review(ctx context.Context, j *job) (*review, error)
	// run does it.
	run(ctx context.Context, j *job) (*outcome, error)
}

// step is one page of questions.
type step struct {
	title  string
	intro  string // a sentence or two: what this is about, and what to know before
	fields []field
	hidden func() bool // nil: never
	// load fetches what the fields offer, such as namespaces, each time the step is
	// entered. An error is shown; the fields work without. It runs beside the update
	// loop: meanwhile no options and no suggestions are asked for, so that these may
	// read what it fills, and nothing else may. It changes no answer.
	load func(ctx context.Context) error
	// check looks at the fields together, before the next step. It runs in the
	// update loop: no disk, no network.
	check func() error
}

// field is one question. One of text, list, choice, many and yes is set, and says
// what kind it is.
type field struct {
	key   string // the flag's name, where it stands for one
	title string
	help  string // for who is on the field: what it means, with an example

	text   *string   // a line
	list   *[]string // a line of several, with commas between
	choice *string   // one of options
	many   *[]string // any of options
	yes    *bool

	options func() []option
	// suggestions complete what is typed in a text or list.
	suggestions func() []string
	// fallback is what serves where a text is left empty; it is shown in its place.
	fallback func() string
	// check judges a text while it is typed, or each of a list; an empty one it is
	// not asked about. It runs in the update loop, after every key.
	check func(value string) error
	// required says that an empty answer is not enough, where there is no fallback.
	required bool
	hidden   func() bool
}

// option is one of the answers to choose from.
type option struct {
	value string
	label string
	help  string // what choosing it means
}

// job is what the engine gives to review and run. Its texts need not be printable.
type job struct {
	begin func(step string) // what is under way until the next call
	done  func(what string) // what was done, or found
	warn  func(text string)
	// waiting says that another pkictl holds the lock of a directory.
	waiting func(dir string)
	// passphrase asks for that of a key that is there, newPassphrase twice for a
	// new one. What the environment or a file gives is not asked for.
	passphrase, newPassphrase ca.Passphrase
}

// review is what the last screen of a flow shows before it asks.
type review struct {
	rows     []row      // what it will be
	writes   []fileToBe // files, in the order in which they are written
	sends    []string   // requests to a cluster, in words
	warnings []string   // what to know before saying yes
	preview  string     // a diff, or the text of a file
	nothing  string     // why there is nothing to do; empty where there is
	question string     // "Issue it?"
}

// row is a line of a result: what it is, and its value.
type row struct{ label, value string }

// fileToBe is a file that is made or replaced.
type fileToBe struct {
	path     string
	mode     uint32 // permission bits; 0 is not shown
	what     string
	replaces bool
}

// outcome is what a flow has done.
type outcome struct {
	headline string
	rows     []row
	warnings []string
	text     string // more, such as what a user may do
	next     []nextStep
}

// nextStep is something to do now.
type nextStep struct {
	why  string
	args []string // a command with the name of its program, to be copied; or
	open func(*world) screen
}
