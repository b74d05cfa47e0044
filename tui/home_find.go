package tui

import (
	"slices"
	"strings"
)

// findWays returns the ways that all words of a search are found in, the best
// first; all of them where nothing is searched for.
func findWays(list []way, search string) []int {
	type found struct{ index, score int }
	var all []found
	for i, w := range list {
		score, matches := 0, true
		for term := range strings.FieldsSeq(strings.ToLower(search)) {
			s := w.score(term)
			score += s
			matches = matches && s > 0
		}
		if matches {
			all = append(all, found{i, score})
		}
	}
	slices.SortStableFunc(all, func(a, b found) int { return b.score - a.score })
	indexes := make([]int, len(all))
	for i, f := range all {
		indexes[i] = f.index
	}
	return indexes
}

// score says how well a term matches; 0 is not at all.
func (w way) score(term string) int {
	title, words, help := strings.ToLower(w.title), strings.ToLower(w.words), strings.ToLower(w.help)
	switch {
	case strings.HasPrefix(title, term):
		return 100
	case hasWord(title, term):
		return 80
	case strings.Contains(title, term):
		return 60
	case hasWord(words, term):
		return 50
	case strings.Contains(words, term):
		return 40
	case strings.Contains(help, term):
		return 30
	case len(term) > 2 && isSpread(title, term):
		return 10
	}
	return 0
}

// hasWord says whether a word of the text begins with a term.
func hasWord(text, term string) bool { return strings.Contains(" "+text, " "+term) }

// isSpread says whether the letters of a term stand in a text in their order.
func isSpread(text, term string) bool {
	for _, letter := range term {
		_, after, ok := strings.Cut(text, string(letter))
		if !ok {
			return false
		}
		text = after
	}
	return true
}
