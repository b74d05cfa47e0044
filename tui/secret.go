package tui

import (
	"bytes"
	"context"
	"strings"
	"unicode/utf8"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
)

// maxSecret is the longest passphrase, in bytes, as of a file that holds one.
const maxSecret = 1 << 10

// secretAsk is a goroutine that waits for a passphrase.
type secretAsk struct {
	name  string
	isNew bool
	reply chan secretReply // has room for one, so that the update loop never waits
}

// secretReply is what was typed, which is the receiver's to clear.
type secretReply struct {
	passphrase []byte
	err        error
}

// secretPrompt asks for a passphrase on a screen. What is typed is in typed alone:
// it is never a string, and is cleared as soon as it has been handed over.
type secretPrompt struct {
	ask   *secretAsk
	typed []byte
	first []byte // of a new passphrase: what was typed before
	note  string // what was wrong with the last answer
}

func newSecretPrompt(ask *secretAsk) *secretPrompt {
	// The full size at once: append would leave copies behind.
	return &secretPrompt{ask: ask, typed: make([]byte, 0, maxSecret)}
}

// what names what is asked for: a token has a PIN.
func (a *secretAsk) what() string {
	if strings.HasPrefix(a.name, "PKCS#11") {
		return "PIN of " + a.name
	}
	return "passphrase of " + a.name
}

// press takes a key, and says whether the prompt is done with.
func (p *secretPrompt) press(msg tea.KeyPressMsg) bool {
	switch msg.String() {
	case "enter":
		return p.enter()
	case "esc":
		p.refuse()
		return true
	case "backspace":
		_, size := utf8.DecodeLastRune(p.typed)
		p.shorten(len(p.typed) - size)
	case "ctrl+u":
		p.shorten(0)
	default:
		p.add(msg.Text)
	}
	return false
}

// paste takes the first line of what was pasted.
func (p *secretPrompt) paste(msg tea.PasteMsg) {
	line, _, _ := strings.Cut(msg.Content, "\n")
	p.add(strings.TrimSuffix(line, "\r"))
}

func (p *secretPrompt) add(s string) {
	if s == "" {
		return
	}
	p.note = ""
	if len(p.typed)+len(s) > maxSecret {
		p.note = "that is too long for a passphrase: 1024 bytes are the most"
		return
	}
	p.typed = append(p.typed, s...)
}

func (p *secretPrompt) shorten(n int) {
	clear(p.typed[n:])
	p.typed = p.typed[:n]
}

// enter takes what was typed: of a new passphrase twice, and only one that is
// long enough.
func (p *secretPrompt) enter() bool {
	p.note = ""
	switch {
	case len(p.typed) == 0:
		p.note = "type it, or press esc to give none"
		return false
	case !p.ask.isNew:
		p.answer(bytes.Clone(p.typed))
		return true
	case p.first == nil && utf8.RuneCount(p.typed) < ca.MinPassphrase:
		p.note = "a new one needs 8 characters or more: take several words"
		p.shorten(0)
		return false
	case p.first == nil:
		p.first = bytes.Clone(p.typed)
		p.shorten(0)
		return false
	case !bytes.Equal(p.first, p.typed):
		p.note = "the two differ: type the new one again, and then once more"
		p.wipe()
		return false
	}
	p.answer(bytes.Clone(p.typed))
	return true
}

// refuse says that there is no answer, as the end of input does for a command.
func (p *secretPrompt) refuse() {
	p.wipe()
	p.ask.reply <- secretReply{err: failure.New(failure.Failed, "run it again, and type it", "no %s was entered", p.ask.what())}
}

func (p *secretPrompt) answer(passphrase []byte) {
	p.wipe()
	p.ask.reply <- secretReply{passphrase: passphrase}
}

// wipe forgets what was typed.
func (p *secretPrompt) wipe() {
	clear(p.typed[:cap(p.typed)])
	p.typed = p.typed[:0]
	clear(p.first)
	p.first = nil
}

// lines draws the prompt. Eight dots stand for something, however long it is.
func (p *secretPrompt) lines(w *world, width int) []string {
	question := "Enter the " + p.ask.what()
	switch {
	case p.first != nil:
		question = "The same again: the " + p.ask.what()
	case p.ask.isNew:
		question = "Choose the " + p.ask.what()
	}
	out := w.wrapStyled(w.theme.Strong, "", question, width, 2)
	dots := ""
	if len(p.typed) > 0 {
		dots = strings.Repeat("•", 8)
	}
	out = append(out, w.theme.Accent.Render("› ")+dots+w.theme.Selected.Render(" "))
	if p.note != "" {
		out = append(out, w.wrapStyled(w.theme.Bad, "✗ ", p.note, width, 2)...)
	}
	return append(out, w.wrapStyled(w.theme.Faint, "  ", "What you type is not shown: eight dots stand for any length.", width, 2)...)
}

func (p *secretPrompt) keys() []key.Binding {
	return []key.Binding{binding("give it", "enter"), binding("give none", "esc")}
}

// askSecret waits for a passphrase from the screen: from the environment or a
// file, if they have one.
func (w *world) askSecret(ctx context.Context, name string, isNew bool, show func(*secretAsk)) ([]byte, error) {
	if w.GivenPassphrase != nil {
		if passphrase, err := w.GivenPassphrase(name); passphrase != nil || err != nil {
			return passphrase, err
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	ask := &secretAsk{name: name, isNew: isNew, reply: make(chan secretReply, 1)}
	show(ask)
	select {
	case got := <-ask.reply:
		return got.passphrase, got.err
	case <-ctx.Done():
		return nil, failure.Wrap(ctx.Err(), failure.Failed, "run it again when you have the passphrase", "interrupted while asking for the %s", ask.what())
	}
}
