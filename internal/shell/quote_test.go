package shell_test

import (
	"os/exec"
	"strings"
	"testing"
	"unicode"

	"github.com/pkictl/pkictl/internal/shell"
)

// TestQuote has a shell read what was quoted. Nothing that is not printable
// is written as it is, but for newlines at the end, which no printf can write.
func TestQuote(t *testing.T) {
	t.Parallel()
	for _, word := range []string{
		"", "jane", "ops team", "o'hara", "$HOME `id` $(id) \\ %s \"", "-n", "\x1b]0;gone\a\x1b[2J", "a\u202eb\u200bc", "\xff\xfe", "\ufffd\x1b",
		"-\x1b", "100%\x1b\\033'\"$(id)`id`", "one\ntwo", "end\n\n", "\n", "\x1b\n", "ü\t日本",
	} {
		quoted := shell.Quote(word)
		out, err := exec.Command("sh", "-c", `printf %s. `+quoted).Output()
		if err != nil || string(out) != word+"." {
			t.Errorf("%q is quoted as %s: the shell reads %q, %v", word, quoted, out, err)
		}
		shown := strings.TrimRight(strings.TrimSuffix(quoted, "'"), "\n")
		if strings.ContainsFunc(shown, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("%q is quoted as %q", word, quoted)
		}
	}
}
