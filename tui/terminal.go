package tui

import (
	"errors"
	"io"
	"os"

	"github.com/charmbracelet/colorprofile"
	"github.com/charmbracelet/x/ansi"
	"golang.org/x/term"
)

// profileOf says how many colours the terminal has, by the environment alone:
// Bubble Tea would also run tmux to ask it. NO_COLOR counts whatever it is set to
// (no-color.org).
func profileOf(environ []string) colorprofile.Profile {
	profile := colorprofile.Env(environ)
	if variable(environ, "NO_COLOR") != "" && profile > colorprofile.ASCII {
		return colorprofile.ASCII
	}
	return profile
}

// variable returns that of an environment; the last one counts.
func variable(environ []string, name string) string {
	for i := len(environ) - 1; i >= 0; i-- {
		if len(environ[i]) > len(name) && environ[i][:len(name)] == name && environ[i][len(name)] == '=' {
			return environ[i][len(name)+1:]
		}
	}
	return ""
}

// terminalInput is a terminal that tells when it is gone: without SIGHUP, as
// below nohup, an end of input is all that says so.
type terminalInput struct {
	*os.File
	gone func()
}

func (t terminalInput) Read(data []byte) (int, error) {
	n, err := t.File.Read(data)
	if errors.Is(err, io.EOF) {
		t.gone()
	}
	return n, err
}

// terminalState is how a terminal was before.
type terminalState struct {
	fd    int
	state *term.State
}

// saveTerminal returns nil for what is no terminal.
func saveTerminal(in any) *terminalState {
	file, isFile := in.(*os.File)
	if !isFile {
		return nil
	}
	fd := int(file.Fd())
	state, err := term.GetState(fd)
	if err != nil {
		return nil
	}
	return &terminalState{fd, state}
}

// rescue leaves the terminal in place of a program that does not answer. The
// mode comes first: a terminal that takes no output blocks whoever writes.
func (t *terminalState) rescue(out io.Writer) {
	if t == nil {
		return
	}
	_ = term.Restore(t.fd, t.state) // nothing helps if it fails
	_, _ = io.WriteString(out, ansi.ResetModeAltScreenSaveCursor+ansi.ResetModeBracketedPaste+
		ansi.ResetModifyOtherKeys+ansi.PopKittyKeyboard(1)+ansi.ResetModeUnicodeCore+ansi.SetModeTextCursorEnable)
}
