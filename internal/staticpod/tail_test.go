package staticpod

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestTail: the last lines are those that say why a program ended.
func TestTail(t *testing.T) {
	t.Parallel()
	const trace = "\ngoroutine 1 [running]:\nmain.main()\n\tmain.go:31 +0x28\n"
	many := strings.Repeat("line\n", 30)
	for _, tt := range []struct {
		name, log string
		want      []string
	}{
		{"nothing", "\n\n", nil},
		{"lines", "a\nb\n", []string{"a", "b"}},
		{"many lines", many + "last\n", append(slices.Repeat([]string{"line"}, TailLines-1), "last")},
		{"a panic", "started\npanic: no space left on device\n" + trace + strings.Repeat("\tdeeper.go:1\n", 40), []string{"started", "panic: no space left on device"}},
		{"nothing but a trace", "goroutine 1 [running]:\nmain.main()\n", []string{"goroutine 1 [running]:", "main.main()"}},
		{"what a stranger sent", "\x1b[31mred\n", []string{`\x1b[31mred`}},
	} {
		path := filepath.Join(t.TempDir(), "log")
		if err := os.WriteFile(path, []byte(tt.log), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := Tail(path); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}
