// Package shell writes words of a POSIX shell, for commands that are shown.
package shell

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Quote quotes a word for a POSIX shell where that is needed. What is not
// printable, such as the escape sequences of a terminal, is written in digits.
func Quote(word string) string {
	safe := word != "" && strings.Trim(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._/:@=,+-") == ""
	switch {
	case safe:
		return word
	case !utf8.ValidString(word) || strings.ContainsFunc(word, func(r rune) bool { return !unicode.IsPrint(r) }):
		return printf(word)
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// printf has a shell put a word together by printf. $” is newer than most
// shells (POSIX.1-2024).
func printf(word string) string {
	text := strings.TrimRight(word, "\n") // a shell takes newlines off the end of what printf writes
	var b strings.Builder
	for i, r := range text {
		_, size := utf8.DecodeRuneInString(text[i:])
		isPlain := unicode.IsPrint(r) && (r != utf8.RuneError || size > 1) && !strings.ContainsRune(`'"\%`, r)
		if isPlain && (i > 0 || r != '-') {
			b.WriteRune(r)
			continue
		}
		for _, c := range []byte(text[i : i+size]) {
			fmt.Fprintf(&b, `\%03o`, c)
		}
	}
	quoted := `"$(printf '` + b.String() + `')"`
	if end := word[len(text):]; end != "" {
		quoted += "'" + end + "'"
	}
	return quoted
}
