package audit

import "strings"

// closest returns the known word that was probably meant by one with a slip or
// two in it; empty if there is none.
func closest(word string, known []string) string {
	best, least := "", 3
	for _, candidate := range known {
		d := distance(strings.ToLower(word), strings.ToLower(candidate))
		if d < least && d*2 < len(candidate) {
			best, least = candidate, d
		}
	}
	return best
}

// distance counts the letters to insert, leave out or change (Levenshtein).
// Words that differ by more than two in length are not looked at.
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
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// didYouMean is a hint for a word that is none of those known: what was probably
// meant, and otherwise what else to do.
func didYouMean(word string, known []string, otherwise string) string {
	if similar := closest(word, known); similar != "" {
		return "did you mean " + similar + "?"
	}
	return otherwise
}
