package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
)

const (
	fileFlag    = "passphrase-file"
	envVariable = "PKICTL_PASSPHRASE"
)

// addPassphrase adds --passphrase-file and returns what asks for a passphrase:
// the file, else the environment, else the terminal.
func (a *app) addPassphrase(cmd *cobra.Command) ca.Passphrase {
	cmd.Flags().StringVar(&a.passphraseFile, fileFlag, "", "`FILE` whose first line is the passphrase of an encrypted key; or set "+envVariable)
	return func(name string) ([]byte, error) {
		if passphrase, err := a.givenPassphrase(a.passphraseFile, envVariable); passphrase != nil || err != nil {
			return passphrase, err
		}
		return a.askPassphrase(cmd.Context(), name, false)
	}
}

// addNewPassphrase adds --encrypt-key to a command that addPassphrase has
// prepared. It returns what says how a new key is encrypted: nil, if it is not.
// A passphrase that is typed is asked for twice.
func (a *app) addNewPassphrase(cmd *cobra.Command) func() ca.Passphrase {
	encrypt := cmd.Flags().Bool("encrypt-key", false, "encrypt ca.key; follows from --"+fileFlag+" and "+envVariable)
	return func() ca.Passphrase {
		if !*encrypt && a.passphraseFile == "" && a.env(envVariable) == "" {
			return nil
		}
		return func(name string) ([]byte, error) {
			if passphrase, err := a.givenPassphrase(a.passphraseFile, envVariable); passphrase != nil || err != nil {
				return passphrase, err
			}
			return a.askPassphrase(cmd.Context(), name, true)
		}
	}
}

// opensslPass says where the passphrase is, as openssl takes it; empty where it
// has to ask.
func (a *app) opensslPass(path, variable string) string {
	switch {
	case path != "":
		return "file:" + path
	case a.env(variable) != "":
		return "env:" + variable
	}
	return ""
}

// givenPassphrase returns the passphrase in a file, or else that of a variable
// of the environment, nil where there is neither.
func (a *app) givenPassphrase(path, variable string) ([]byte, error) {
	if path == "" {
		if value := a.env(variable); value != "" {
			return []byte(value), nil
		}
		return nil, nil
	}
	passphrase, err := ca.ReadPassphraseFile(path)
	if err != nil {
		return nil, err
	}
	if isReadableByOthers(path) {
		a.warn(fmt.Sprintf("passphrase file %q is readable by others; make it private with: chmod 600", path))
	}
	return passphrase, nil
}

// isReadableByOthers says whether the mode of a file lets others read it.
// Windows has other means, which are not looked at.
func isReadableByOthers(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o044 != 0 && runtime.GOOS != "windows"
}

// askPassphrase asks on the terminal, and a second time if it is a new one.
func (a *app) askPassphrase(ctx context.Context, name string, isNew bool) ([]byte, error) {
	tty, done, err := a.terminal()
	if err != nil {
		return nil, ca.ErrNoPassphrase
	}
	defer done()
	what := "passphrase of "
	if strings.HasPrefix(name, "PKCS#11") {
		what = "PIN of "
	}
	passphrase, err := a.prompt(ctx, tty, name, what)
	if err != nil || !isNew || len([]rune(string(passphrase))) < ca.MinPassphrase {
		return passphrase, err // one that is too short is refused without being repeated
	}
	again, err := a.prompt(ctx, tty, name, "same passphrase again, of ")
	defer clear(again)
	if err == nil && !bytes.Equal(passphrase, again) {
		err = failure.New(failure.Failed, "run it again, and type the same twice", "the two passphrases of %s differ", name)
	}
	if err != nil {
		clear(passphrase)
		return nil, err
	}
	return passphrase, nil
}

// terminal returns standard input if it is a terminal, or else the terminal
// that the program was started from. The function closes what was opened.
func (a *app) terminal() (*os.File, func(), error) {
	if in, ok := a.in.(*os.File); ok && isTerminal(in) {
		return in, func() {}, nil
	}
	path := "/dev/tty"
	if runtime.GOOS == "windows" {
		path = "CONIN$"
	}
	tty, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, nil, err
	}
	return tty, func() { _ = tty.Close() }, nil
}

// prompt reads a line without echo. Whatever ends it, the terminal is as it
// was before.
func (a *app) prompt(ctx context.Context, tty *os.File, name, what string) ([]byte, error) {
	fd := int(tty.Fd())
	state, err := term.GetState(fd)
	if err != nil {
		return nil, ca.ErrNoPassphrase
	}
	// These would end the program at once, and leave a terminal without echo.
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGHUP, syscall.SIGQUIT)
	defer stop()
	fmt.Fprintf(a.err, "Enter the %s: ", printable(what+name))
	type answer struct {
		line []byte
		err  error
	}
	answers := make(chan answer, 1)
	go func() {
		line, err := term.ReadPassword(fd)
		answers <- answer{line, err}
	}()
	select {
	case <-ctx.Done(): // the read goes on until the program ends, which is now
		_ = term.Restore(fd, state) // nothing helps if it fails
		fmt.Fprintln(a.err)
		return nil, failure.New(failure.Failed, "run it again when you have the passphrase", "interrupted while asking for the %s", what+name)
	case got := <-answers:
		fmt.Fprintln(a.err)
		return checkAnswer(got.line, got.err, what+name)
	}
}

func checkAnswer(line []byte, err error, what string) ([]byte, error) {
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, failure.Wrap(err, failure.Failed, "pass --"+fileFlag+", or set "+envVariable, "cannot read the %s", what)
	}
	if len(line) == 0 || err != nil { // the end of input is no answer
		clear(line)
		return nil, failure.New(failure.Failed, "run it again, and type it", "no %s was entered", what)
	}
	return line, nil
}
