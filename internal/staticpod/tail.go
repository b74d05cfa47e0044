package staticpod

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

// TailLines is how many lines Tail returns at most.
const TailLines = 20

const tailBytes = 64 << 10 // enough for 20 long lines, little enough for a huge log

// Log is the end of a component's log.
type Log struct {
	Path  string   // of the file, "" if there is none
	Lines []string // the last ones, which are printable; none if it is empty
}

// String names the file and quotes the lines, each on a line of its own.
func (l Log) String() string {
	if len(l.Lines) == 0 {
		return fmt.Sprintf("its log %q is empty", l.Path)
	}
	return fmt.Sprintf("the end of its log %q:\n  %s", l.Path, strings.Join(l.Lines, "\n  "))
}

// Tail returns the last lines of a log. One that cannot be read has none:
// the tail only ever goes with another error, which matters more.
func Tail(path string) []string {
	return tail(path, func(line string) string { return line })
}

// tail is Tail for lines that bear more than the component wrote.
func tail(path string, written func(line string) string) []string {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil
	}
	from := max(0, info.Size()-tailBytes)
	text, err := io.ReadAll(io.NewSectionReader(f, from, tailBytes))
	if err != nil {
		return nil
	}
	trimmed := strings.TrimRight(string(text), "\n")
	if trimmed == "" {
		return nil
	}
	lines := strings.Split(trimmed, "\n")
	for i, line := range lines {
		lines[i] = written(line)
	}
	lines = withoutTrace(lines)
	lines = lines[max(0, len(lines)-TailLines):]
	for i, line := range lines {
		lines[i] = printable(line)
	}
	return lines
}

// withoutTrace leaves out the stack that the Go runtime prints after it has said
// why the program ends, unless that is all there is. etcd ends so where its disk
// is full or its data is damaged.
func withoutTrace(lines []string) []string {
	for i, line := range lines {
		if i > 0 && strings.HasPrefix(line, "goroutine ") && strings.HasSuffix(line, "]:") {
			return withoutBlank(lines[:i])
		}
	}
	return lines
}

func withoutBlank(lines []string) []string {
	for len(lines) > 1 && lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	return lines
}

// printable escapes control, escape and bidirectional characters: a log quotes
// what strangers sent, and the lines end up on a terminal.
func printable(line string) string {
	var b strings.Builder
	for _, r := range line {
		if r == '\t' || strconv.IsPrint(r) {
			b.WriteRune(r)
			continue
		}
		quoted := strconv.QuoteRune(r)
		b.WriteString(quoted[1 : len(quoted)-1])
	}
	return b.String()
}
