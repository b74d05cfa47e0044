package failure_test

import (
	"errors"
	"fmt"
	"io/fs"
	"testing"

	"github.com/pkictl/pkictl/internal/failure"
)

func TestError(t *testing.T) {
	t.Parallel()
	refused := failure.New(failure.Refused, "ask", "%q may not", "jane")
	tests := []struct {
		name string
		err  error
		text string
		kind failure.Kind
		hint string
	}{
		{"plain error", errors.New("broken"), "broken", failure.Failed, ""},
		{"own", refused, `"jane" may not`, failure.Refused, "ask"},
		{"below a plain one", fmt.Errorf("issue: %w", refused), `issue: "jane" may not`, failure.Refused, "ask"},
		{"the outermost kind counts", failure.Wrap(refused, failure.Usage, "read", "issue %d", 1),
			`issue 1: "jane" may not`, failure.Usage, "read"},
		{"the first hint counts, however deep", failure.Wrap(fmt.Errorf("x: %w", refused), failure.Failed, "", "issue"),
			`issue: x: "jane" may not`, failure.Failed, "ask"},
		{"joined", errors.Join(fs.ErrExist, refused), "file already exists\n\"jane\" may not", failure.Refused, "ask"},
		{"no hint at all", failure.Wrap(fs.ErrExist, failure.Finding, "", "x"), "x: file already exists", failure.Finding, ""},
	}
	for _, test := range tests {
		if got := test.err.Error(); got != test.text {
			t.Errorf("%s: text %q, want %q", test.name, got, test.text)
		}
		if got := failure.KindOf(test.err); got != test.kind {
			t.Errorf("%s: kind %d, want %d", test.name, got, test.kind)
		}
		if got := failure.HintOf(test.err); got != test.hint {
			t.Errorf("%s: hint %q, want %q", test.name, got, test.hint)
		}
	}
	if wrapped := failure.Wrap(fs.ErrExist, failure.Failed, "", "x"); !errors.Is(wrapped, fs.ErrExist) {
		t.Error("the cause is lost")
	}
	if failure.HintOf(nil) != "" {
		t.Error("nothing has a hint")
	}
}
