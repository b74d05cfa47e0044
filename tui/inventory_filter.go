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
	in      inventoryColumns
	states  uint16 // those in whose names it is, as bits
	// of expiring:
	isEnd    bool
	from, to int64 // Unix times, to not included
}

// inventoryColumns are the columns that a word is looked for in.
type inventoryColumns struct{ name, groups, profile, serial, state bool }

// inventoryHelp says what can be typed.
const inventoryHelp = "words in any column; or name: group: profile: serial: state:revoked expiring:30d"

// parseInventoryFilter reads what was typed. What is not finished yet, as in
// "expiring:", limits nothing.
func parseInventoryFilter(typed string, now time.Time) (f inventoryFilter, err error) {
	for _, word := range strings.FieldsFunc(typed, func(r rune) bool { return unicode.IsSpace(r) || r == 0 }) {
		term, termErr := parseInventoryTerm(word, now)
		if termErr != nil {
			err = termErr
		} else if term.isEnd || len(term.needle) > 0 {
			f.terms = append(f.terms, term)
		}
	}
	return f, err
}

func parseInventoryTerm(word string, now time.Time) (t inventoryTerm, err error) {
	key, value, isCut := strings.Cut(word, ":")
	if !isCut {
		key = ""
	}
	switch strings.ToLower(key) {
	case "name":
		t.in.name = true
	case "group":
		t.in.groups = true
	case "profile":
		t.in.profile = true
	case "serial":
		t.in.serial, value = true, strings.ReplaceAll(value, ":", "")
	case "state":
		t.in.state = true
	case "expiring":
		return expiringTerm(value, now)
	default:
		t.in, value = inventoryColumns{true, true, true, true, true}, word
	}
	t.needle = []byte(strings.ToLower(value))
	t.isASCII = isASCII(t.needle)
	if t.in.state {
		t.states = inventoryStates(string(t.needle))
	}
	return t, nil
}

// expiringTerm is ca.EndsWithin in whole seconds, which is what ends have.
func expiringTerm(value string, now time.Time) (t inventoryTerm, err error) {
	if value == "" {
		return t, nil
	}
	within, err := ca.ParseValidity(value)
	if err != nil {
		return t, failure.New(failure.Usage, failure.HintOf(err), "expiring: %q is no length of time", value)
	}
	return inventoryTerm{isEnd: true, from: ceilUnix(now.Add(-within)), to: ceilUnix(now.Add(within))}, nil
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
		return row.is(inventoryCanBeDue) && row.ends >= t.from && row.ends < t.to
	}
	if t.in.state && t.states&(1<<row.state()) != 0 {
		return true
	}
	if t.in.name && (t.isIn(b.name(row), row.is(inventoryASCII)) || t.isIn(b.file(row), row.is(inventoryASCII))) {
		return true
	}
	if t.in.groups && t.isInWord(b.groups(row)) || t.in.profile && t.isInWord(b.profile(row)) {
		return true
	}
	if !t.in.serial {
		return false
	}
	var buffer [2 * 32]byte
	return t.isIn(b.appendSerial(buffer[:0], row), !row.is(inventoryNoHex))
}

// isIn says whether the word is in a text.
func (t *inventoryTerm) isIn(text []byte, isASCII bool) bool {
	if !isASCII {
		return bytes.Contains(bytes.ToLower(text), t.needle)
	}
	return t.isASCII && containsLower(text, t.needle)
}

func (t *inventoryTerm) isInWord(word string) bool {
	if !isASCII(word) {
		return strings.Contains(strings.ToLower(word), string(t.needle))
	}
	return t.isASCII && containsLower(word, t.needle)
}

// containsLower says whether the lower case of an ASCII text has a part.
func containsLower[T string | []byte](text T, part []byte) bool {
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
