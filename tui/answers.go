package tui

import (
	"crypto/x509"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
)

// What the environment may give, as the command line knows it.
const (
	variableDir            = "PKICTL_DIR"
	variablePassphrase     = "PKICTL_PASSPHRASE"        //nolint:gosec // G101: its name, not what is in it
	variableExportPassword = "PKICTL_EXPORT_PASSPHRASE" //nolint:gosec // G101: the same
)

// typedCheck is a field's check with what the command line refuses for a value
// besides: that of one flag must not look like another flag.
func typedCheck(check func(string) error) func(string) error {
	return func(value string) error {
		if strings.HasPrefix(value, "--") {
			return failure.New(failure.Usage, "let it begin with something else", "%q looks like a flag of the command line", value)
		}
		if check == nil {
			return nil
		}
		return check(value)
	}
}

// answersError is the first thing that is wrong with the answers of steps, as
// they are checked while they are typed. A review begins with it: an answer may
// have been given before another that it does not go with.
func answersError(steps []step) error {
	for _, s := range steps {
		if s.hidden != nil && s.hidden() {
			continue
		}
		for i := range s.fields {
			if err := s.fields[i].answerError(); err != nil {
				return err
			}
		}
		if s.check != nil {
			if err := s.check(); err != nil {
				return err
			}
		}
	}
	return nil
}

// answerError is what a field that is shown says of its answer.
func (f *field) answerError() error {
	if f.hidden != nil && f.hidden() {
		return nil
	}
	var values []string
	switch {
	case f.text != nil && *f.text != "":
		values = []string{*f.text}
	case f.list != nil:
		values = *f.list
	}
	if f.text != nil && len(values) == 0 && f.required && (f.fallback == nil || f.fallback() == "") {
		return failure.New(failure.Usage, "go back and fill it in", "%q is empty", f.title)
	}
	if f.check == nil {
		return nil
	}
	for _, value := range values {
		if err := f.check(value); err != nil {
			return err
		}
	}
	return nil
}

// variable returns the value of a variable of the environment.
func (w *world) variable(name string) string {
	for _, each := range slices.Backward(w.Environ) { // the last one counts
		if value, is := strings.CutPrefix(each, name+"="); is {
			return value
		}
	}
	return ""
}

// dirFlag is --dir where a command would otherwise work in another directory.
func (w *world) dirFlag(dir string) []string {
	byDefault := w.variable(variableDir)
	if byDefault == "" {
		byDefault = ca.DefaultDir
	}
	if dir == byDefault {
		return nil
	}
	return []string{"--dir", dir}
}

// opensslPass says where openssl finds a passphrase in a recipe, empty where it
// asks.
func (w *world) opensslPass(variable string) string {
	switch {
	case variable == variablePassphrase && w.PassphraseFile != "":
		return "file:" + w.PassphraseFile
	case w.variable(variable) == "":
		return ""
	}
	return "env:" + variable
}

// passphraseFlag is --passphrase-file of a command that uses the key of a CA, or
// makes it, where the wizard has been given one.
func (w *world) passphraseFlag() []string { return flag("passphrase-file", w.PassphraseFile) }

// isGiven says whether there is a passphrase that nobody needs to type.
func (w *world) isGiven(name string) (bool, error) {
	if w.GivenPassphrase == nil {
		return false, nil
	}
	passphrase, err := w.GivenPassphrase(name)
	clear(passphrase)
	return passphrase != nil, err
}

// askLater is for the review of what a CA signs: the passphrase of its key is
// asked for once, when it signs. It notes the name of that key.
func (w *world) askLater(j *job, asked *string) ca.Passphrase {
	return func(name string) ([]byte, error) {
		if given, err := w.isGiven(name); given || err != nil {
			return j.passphrase(name)
		}
		*asked = name
		return nil, ca.ErrAskLater
	}
}

// laterRow says that a passphrase is going to be asked for; nothing of one that
// is not.
func laterRow(asked string) []row {
	if asked == "" {
		return nil
	}
	return []row{{"passphrase", "of " + asked + ", which is asked for next"}}
}

// flag is a flag for each of the values that are not empty.
func flag(name string, values ...string) []string {
	var args []string
	for _, value := range values {
		if value != "" {
			args = append(args, "--"+name, value)
		}
	}
	return args
}

// recordedRow names the inventory that is there and gets a line more.
func recordedRow(dir string) []row {
	path := store.InventoryPath(dir)
	if !hasPath(path) {
		return nil
	}
	return []row{{"recorded in", path}}
}

// hasPath says whether there is something of that name.
func hasPath(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// fileWritten says of a file that it is made, or replaced where it is there.
func fileWritten(path string, mode uint32, what string) fileToBe {
	return fileToBe{path: path, mode: mode, what: what, replaces: hasPath(path)}
}

// certificateRows say what a certificate is; the serial is empty where it is not
// known yet.
func certificateRows(cert *x509.Certificate, profile, serial string, now time.Time) []row {
	return []row{
		{"subject", ca.FormatName(cert.RawSubject)},
		{"profile", profile},
		{"names", strings.Join(ca.SANsOf(cert).Strings(), ", ")},
		{"key", ca.KeyName(cert.PublicKey)},
		{"serial", serial},
		{"ends", ca.FormatEnd(cert.NotAfter, now)},
	}
}

// someRows are the rows that have a value.
func someRows(rows ...row) []row {
	return slices.DeleteFunc(rows, func(r row) bool { return r.value == "" })
}

// keyOptions are the kinds of keys.
func keyOptions() []option {
	var options []option
	for _, kind := range ca.KeyKinds() {
		options = append(options, option{value: string(kind), label: string(kind), help: kind.Meaning()})
	}
	return options
}

// fixed are suggestions that stay the same.
func fixed(list ...string) func() []string { return func() []string { return list } }

// checkValidity checks a length of time.
func checkValidity(value string) error {
	_, err := ca.ParseValidity(value)
	return err
}
