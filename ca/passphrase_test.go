package ca_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
)

func TestReadPassphraseFile(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 1023)
	for content, want := range map[string]string{
		"three words or more\n": "three words or more", "no line end": "no line end", "windows\r\n": "windows",
		"first\nsecond\n": "first", " blanks \t\n": " blanks \t", "pässphräse 🔑\n": "pässphräse 🔑", "a\rb\n": "a\rb",
		"cr at the end\r": "cr at the end\r", long + "\n": long, "\x00\xff\n": "\x00\xff",
	} {
		path := filepath.Join(t.TempDir(), "pass")
		must(0, os.WriteFile(path, []byte(content), 0o600))
		if got, err := ca.ReadPassphraseFile(path); err != nil || string(got) != want {
			t.Errorf("%q: %q (%v), want %q", content, got, err, want)
		}
	}
	for content, says := range map[string]string{"": "is empty", "\n": "is empty", "\r\nx": "is empty", long + "xx": "is larger than 1 KiB"} {
		path := filepath.Join(t.TempDir(), "pass")
		must(0, os.WriteFile(path, []byte(content), 0o600))
		_, err := ca.ReadPassphraseFile(path)
		if err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), path) || failure.HintOf(err) == "" {
			t.Errorf("%.20q: %v, want %q", content, err, says)
		}
	}
	for path, says := range map[string]string{filepath.Join(t.TempDir(), "none"): "no such file", "/dev/zero": "is larger than 1 KiB", t.TempDir(): "is a directory"} {
		if _, err := ca.ReadPassphraseFile(path); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", path, err, says)
		}
	}
}

// FuzzReadPassphraseFile: a passphrase is the beginning of the file, on one line.
func FuzzReadPassphraseFile(f *testing.F) {
	for _, seed := range []string{"", "\n", "a\n", "a\r\nb", "a", strings.Repeat("x", 1025)} {
		f.Add([]byte(seed))
	}
	path := filepath.Join(f.TempDir(), "pass")
	f.Fuzz(func(t *testing.T, data []byte) {
		must(0, os.WriteFile(path, data, 0o600))
		got, err := ca.ReadPassphraseFile(path)
		if err != nil {
			if failure.HintOf(err) == "" || got != nil {
				t.Fatalf("%v with %q", err, got)
			}
			return
		}
		if len(got) == 0 || !bytes.HasPrefix(data, got) || bytes.Contains(got, []byte("\n")) {
			t.Fatalf("%q of %q", got, data)
		}
	})
}

// TestInitEncrypted makes a CA with an encrypted key, with which Issue works.
func TestInitEncrypted(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "pki")
	var asked []string
	_, err := ca.Init(context.Background(), ca.InitOptions{Dir: dir, Now: now, NewPassphrase: func(name string) ([]byte, error) {
		asked = append(asked, name)
		return []byte(passphrase), nil
	}})
	if want := `the new key "` + ca.KeyPath(dir) + `"`; err != nil || len(asked) != 1 || asked[0] != want {
		t.Fatalf("asked for %q, want %q (%v)", asked, want, err)
	}
	openssl(t, "pkey", "-in", ca.KeyPath(dir), "-passin", "pass:"+passphrase, "-noout", "-check")
	o := ca.IssueOptions{Dir: dir, CommonName: "jane", Now: now, Passphrase: says(passphrase)}
	if _, err := ca.Issue(context.Background(), o); err != nil {
		t.Fatal(err)
	}
	// Nobody types a passphrase for what cannot be.
	o.Passphrase = nobody(t)
	if _, err := ca.Issue(context.Background(), o); err == nil || !strings.Contains(err.Error(), "exists") {
		t.Error(err)
	}
}

// TestNewPassphraseRefused: nothing is made without a passphrase that will do.
func TestNewPassphraseRefused(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]struct {
		kind failure.Kind
		says string
	}{
		"":        {failure.Failed, `the passphrase of the new key`},
		"1234567": {failure.Usage, "has 7 characters, and needs 8"},
		"äöüßäöü": {failure.Usage, "has 7 characters, and needs 8"}, // 14 octets
		"🔑🔑🔑\x00": {failure.Usage, "has 4 characters, and needs 8"},
	} {
		dir := filepath.Join(t.TempDir(), "pki")
		for _, dryRun := range []bool{false, true} {
			_, err := ca.Init(context.Background(), ca.InitOptions{Dir: dir, Now: now, NewPassphrase: says(given), DryRun: dryRun})
			if err == nil || failure.KindOf(err) != want.kind || !strings.Contains(err.Error(), want.says) || failure.HintOf(err) == "" {
				t.Errorf("%q: %v", given, err)
			}
			if given != "" && strings.Contains(err.Error()+failure.HintOf(err), given) {
				t.Errorf("the error shows the passphrase: %v", err)
			}
		}
		if _, err := os.Lstat(dir); err == nil {
			t.Errorf("%q: something was made", given)
		}
	}
}

// TestAskLater: a dry run checks all but the key, and nothing else does without.
func TestAskLater(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "pki")
	encrypt := func(string) ([]byte, error) { return []byte("three words or more"), nil }
	if _, err := ca.Init(t.Context(), ca.InitOptions{Dir: dir, Now: now, NewPassphrase: encrypt}); err != nil {
		t.Fatal(err)
	}
	later := func(string) ([]byte, error) { return nil, ca.ErrAskLater }
	for _, dryRun := range []bool{true, false} {
		_, issued := ca.Issue(t.Context(), ca.IssueOptions{Dir: dir, CommonName: "jane", Now: now, DryRun: dryRun, Passphrase: later})
		_, made := ca.Init(t.Context(), ca.InitOptions{Dir: dir + "2", Parent: dir, Now: now, DryRun: dryRun, Passphrase: later})
		for _, err := range []error{issued, made} {
			if dryRun && err != nil || !dryRun && !errors.Is(err, ca.ErrAskLater) {
				t.Errorf("dry run %v: %v", dryRun, err)
			}
		}
	}
}
