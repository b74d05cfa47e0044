package failure

import (
	"slices"
	"strings"
	"unicode"
)

// Suggest returns a hint for a word that is none of those known: the one that was
// probably meant, and all.
func Suggest(word string, known []string) string {
	all := "known: " + strings.Join(known, ", ")
	if similar := Closest(word, known); similar != "" {
		return "did you mean " + similar + "? " + all
	}
	return all
}

// Closest returns the known word that is the given one but for case,
// punctuation, or a slip of the finger or two, or that is its beginning; empty
// if there is none.
func Closest(word string, known []string) string {
	best, least := "", 3
	for _, candidate := range known {
		a, b := Letters(word), Letters(candidate)
		d := distance(a, b)
		begins := len(b) > 2 && strings.HasPrefix(a, b)
		if d < least && d*2 < len(candidate) || begins && best == "" {
			best, least = candidate, d
		}
	}
	return best
}

// Letters leaves of a word its letters and digits, in lower case.
func Letters(word string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, word)
}

// distance counts the letters to insert, leave out or change (Levenshtein).
// Words that differ by many in length are not looked at.
func distance(a, b string) int {
	if len(a) > len(b)+2 || len(b) > len(a)+2 {
		return 3
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = slices.Min([]int{change, row[j] + 1, row[j+1] + 1})
		}
	}
	return row[len(b)]
}

// DidYouMean is a hint for a word that is none of those known: the one that was
// probably meant, and otherwise what else to do.
func DidYouMean(word string, known []string, otherwise string) string {
	if similar := Closest(word, known); similar != "" {
		return "did you mean " + similar + "?"
	}
	return otherwise
}
