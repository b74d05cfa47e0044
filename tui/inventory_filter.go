package tui

import (
	"bytes"
	"strings"
	"time"
	"unicode"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
)

// inventoryFilter is what was typed after the slash: words, all of which a
// certificate must match. A word is looked for in all columns, whatever its case;
// name:, group:, profile:, serial: and state: look in one, expiring: is list
// --expiring.
type inventoryFilter struct {
	terms []inventoryTerm
}

type inventoryTerm struct {
	needle  []byte // in lower case
	isASCII bool
	// first and last are the texts to look in; none if last is below first.
	first, last int
	states      uint16 // those to match, as bits
	// of expiring:
	isEnd    bool
	from, to int64 // Unix times, to not included
}

// inventoryHelp says what can be typed.
const inventoryHelp = "words in any column; or name: group: profile: serial: state:revoked expiring:30d"

// parseInventoryFilter reads what was typed. What is not finished yet, as in
// "expiring:", limits nothing.
func parseInventoryFilter(typed string, now time.Time) (f inventoryFilter, err error) {
	for _, word := range strings.FieldsFunc(typed, func(r rune) bool { return unicode.IsSpace(r) || r == 0 }) {
		key, value, _ := strings.Cut(word, ":")
		term := inventoryTerm{first: 0, last: inventoryTexts - 1}
		switch strings.ToLower(key) {
		case "name":
			term.last = inventoryTextFile
		case "group":
			term.first, term.last = inventoryTextGroups, inventoryTextGroups
		case "profile":
			term.first, term.last = inventoryTextProfile, inventoryTextProfile
		case "serial":
			term.first, value = inventoryTextSerial, strings.ReplaceAll(value, ":", "")
		case "state":
			term.last = -1
		case "expiring":
			if value == "" {
				continue
			}
			within, parseErr := ca.ParseValidity(value)
			if parseErr != nil {
				err = failure.New(failure.Usage, failure.HintOf(parseErr), "expiring: %q is no length of time", value)
				continue
			}
			// As ca.EndsWithin has it, in whole seconds, which is what certificates have.
			term.isEnd, term.from, term.to = true, ceilUnix(now.Add(-within)), ceilUnix(now.Add(within))
			f.terms = append(f.terms, term)
			continue
		default:
			value = word
		}
		if !strings.Contains(word, ":") {
			value = word
			term.first, term.last = 0, inventoryTexts-1
		}
		if value == "" {
			continue
		}
		term.needle = []byte(strings.ToLower(value))
		term.isASCII = inventoryIsASCII(term.needle)
		if term.last < term.first || (term.first == 0 && term.last == inventoryTexts-1) {
			term.states = inventoryStates(string(term.needle))
		}
		f.terms = append(f.terms, term)
	}
	return f, err
}

func ceilUnix(t time.Time) int64 {
	if t.Nanosecond() > 0 {
		return t.Unix() + 1
	}
	return t.Unix()
}

// inventoryStates returns the states in whose names a text is.
func inventoryStates(needle string) (states uint16) {
	for i, state := range ca.States() {
		if strings.Contains(string(state), needle) {
			states |= 1 << i
		}
	}
	return states
}

func (f inventoryFilter) isEmpty() bool { return len(f.terms) == 0 }

// apply returns those of an order that match.
func (f inventoryFilter) apply(t inventoryTable, order []uint32) []uint32 {
	if f.isEmpty() {
		return order
	}
	matching := []uint32{}
	for _, i := range order {
		if b, row := t.row(i); f.matches(b, row) {
			matching = append(matching, i)
		}
	}
	return matching
}

func (f inventoryFilter) matches(b *inventoryBlock, row *inventoryRow) bool {
	for i := range f.terms {
		if !f.terms[i].matches(b, row) {
			return false
		}
	}
	return true
}

func (t *inventoryTerm) matches(b *inventoryBlock, row *inventoryRow) bool {
	if t.isEnd {
		return row.canBeDue && row.ends >= t.from && row.ends < t.to
	}
	if t.states&(1<<row.state) != 0 {
		return true
	}
	if t.first == 0 && t.last == inventoryTexts-1 {
		return t.isIn(b.allText(row), row.isASCII)
	}
	for which := t.first; which <= t.last; which++ {
		if t.isIn(b.textOf(row, which), row.isASCII) {
			return true
		}
	}
	return false
}

// isIn says whether the word is in a text.
func (t *inventoryTerm) isIn(text []byte, isASCII bool) bool {
	if !isASCII {
		return bytes.Contains(bytes.ToLower(text), t.needle)
	}
	return t.isASCII && containsLower(text, t.needle)
}

// containsLower says whether the lower case of an ASCII text has a part.
func containsLower(text, part []byte) bool {
	for i := range len(text) - len(part) + 1 {
		k := 0
		for k < len(part) && lowerASCII(text[i+k]) == part[k] {
			k++
		}
		if k == len(part) {
			return true
		}
	}
	return false
}

func lowerASCII(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
