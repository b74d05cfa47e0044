package ca

import (
	"bytes"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
)

// Passphrase asks for the passphrase of a key. The name says which key, as in
// `key "pki/ca.key"`. It is called only when a passphrase is needed, and again
// by nobody when it was wrong. The bytes are the caller's to forget. Where
// there is no way to get one it returns ErrNoPassphrase.
type Passphrase func(name string) ([]byte, error)

// ErrNoPassphrase is what a Passphrase returns that has nobody to ask. The
// caller says what that means for what it does.
var ErrNoPassphrase = errors.New("there is no passphrase")

// ErrAskLater is what a Passphrase returns to a dry run that is to do without
// the key of the CA: whether it can be read turns out when it is used.
var ErrAskLater = errors.New("the passphrase is asked for later")

const hintEncrypted = "pass --passphrase-file, or set PKICTL_PASSPHRASE"

// MinPassphrase is how many characters a new passphrase has at least. It
// keeps out what was cut short by mistake; it makes no passphrase good.
const MinPassphrase = 8

// askFor asks for a passphrase; none is the error that the caller gives.
func askFor(ask Passphrase, name string, none error) ([]byte, error) {
	if ask == nil {
		return nil, none
	}
	passphrase, err := ask(name)
	switch {
	case errors.Is(err, ErrNoPassphrase):
		return nil, none
	case err != nil:
		return nil, err
	case len(passphrase) == 0:
		return nil, failure.New(failure.Failed, hintEncrypted, "the passphrase of %s is empty", name)
	}
	return passphrase, nil
}

// askNew asks for the passphrase that a key is to have from now on.
func askNew(ask Passphrase, path string) ([]byte, error) {
	name := fmt.Sprintf("the new key %q", path)
	passphrase, err := askFor(ask, name, failure.New(failure.Failed, hintEncrypted, "there is no passphrase for %s", name))
	if err != nil {
		return nil, err
	}
	if n := utf8.RuneCount(passphrase); n < MinPassphrase {
		clear(passphrase)
		return nil, failure.New(failure.Usage, "take several words, or what a password manager makes",
			"the passphrase for %s has %d characters, and needs %d", name, n, MinPassphrase)
	}
	return passphrase, nil
}

// maxPassphraseFile is the largest file that holds a passphrase.
const maxPassphraseFile = 1 << 10

// ReadPassphraseFile returns the first line of a file, without its end, which
// may be LF or CRLF. The file has at most 1 KiB, and the line is not empty.
func ReadPassphraseFile(path string) ([]byte, error) {
	data, err := store.Read(path, maxPassphraseFile)
	if err != nil {
		return nil, err
	}
	line, rest, found := bytes.Cut(data, []byte("\n"))
	clear(rest)
	if found {
		line = bytes.TrimSuffix(line, []byte("\r"))
	}
	if len(line) == 0 {
		return nil, failure.New(failure.Failed, "write the passphrase into its first line", "passphrase file %q is empty", path)
	}
	return line, nil
}
