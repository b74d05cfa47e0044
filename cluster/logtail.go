package cluster

import (
	"io"
	"os"
	"strconv"
	"strings"
)

const (
	tailLines = 20
	tailBytes = 64 << 10 // enough for 20 long lines, little enough for a huge log
)

// logTail returns the last lines of a log. One that cannot be read has none:
// the tail only ever goes with another error, which matters more.
func logTail(path string) []string {
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
	lines := withoutTrace(strings.Split(trimmed, "\n"))
	lines = lines[max(0, len(lines)-tailLines):]
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
