package apparmor

import (
	"fmt"
	"strings"

	"github.com/pkictl/pkictl/internal/failure"
)

// scanner reads words.
type scanner struct {
	text string
	at   int
}

// errorf names the line that the scanner has come to.
func (s *scanner) errorf(format string, args ...any) error {
	line := 1 + strings.Count(s.text[:min(s.at, len(s.text))], "\n")
	return failure.New(failure.Finding, "", "line %d: %s", line, fmt.Sprintf(format, args...))
}

// skip goes to the next thing that is neither blank nor a comment. #include is none.
func (s *scanner) skip() {
	for s.at < len(s.text) {
		switch c := s.text[s.at]; {
		case isBlank(c):
			s.at++
		case c == '#' && !s.atInclude():
			if end := strings.IndexByte(s.text[s.at:], '\n'); end >= 0 {
				s.at += end
			} else {
				s.at = len(s.text)
			}
		default:
			return
		}
	}
}

// atInclude says whether an include begins here, with # or without.
func (s *scanner) atInclude() bool {
	rest, ok := strings.CutPrefix(strings.TrimPrefix(s.text[s.at:], "#"), "include")
	return ok && rest != "" && (rest[0] == ' ' || rest[0] == '\t' || rest[0] == '<' || rest[0] == '"')
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// peek returns the next byte, 0 at the end.
func (s *scanner) peek() byte {
	if s.at < len(s.text) {
		return s.text[s.at]
	}
	return 0
}

// take goes on if that is next.
func (s *scanner) take(text string) bool {
	if strings.HasPrefix(s.text[s.at:], text) {
		s.at += len(text)
		return true
	}
	return false
}

// word is one of a rule.
type word struct {
	text   string
	quoted bool
}

// word reads up to a blank, or to the comma that ends a rule. One inside of braces or
// parentheses, or with something behind it, is part of the word.
func (s *scanner) word() (w word, err error) {
	if s.peek() == '"' {
		return s.quoted()
	}
	begin, braces, parens := s.at, 0, 0
	for ; s.at < len(s.text); s.at++ {
		switch c := s.text[s.at]; c {
		case '\\':
			if s.at+1 < len(s.text) && s.text[s.at+1] != '\n' {
				s.at++
			}
		case '{':
			braces++
		case '}':
			if braces == 0 && s.at == begin {
				return word{}, s.errorf("a } where a rule goes on")
			}
			braces = max(0, braces-1)
		case '(':
			parens++
		case ')':
			parens = max(0, parens-1)
		case ' ', '\t', '\r', '\n':
			if parens == 0 {
				return word{text: s.text[begin:s.at]}, nil
			}
		case ',':
			if parens == 0 && s.endsRule(braces) {
				return word{text: s.text[begin:s.at]}, nil
			}
		}
	}
	if parens > 0 {
		s.at = begin
		return word{}, s.errorf("a ( that is not closed")
	}
	return word{text: s.text[begin:s.at]}, nil
}

// endsRule says whether the comma here ends the rule.
func (s *scanner) endsRule(braces int) bool {
	if s.at+1 == len(s.text) {
		return true
	}
	next := s.text[s.at+1]
	return isBlank(next) || braces == 0 && (next == '}' || next == '#')
}

func (s *scanner) quoted() (word, error) {
	begin := s.at
	s.at++
	var text strings.Builder
	for s.at < len(s.text) && s.text[s.at] != '"' && s.text[s.at] != '\n' {
		if s.text[s.at] == '\\' && s.at+1 < len(s.text) {
			text.WriteByte(s.text[s.at])
			s.at++
		}
		text.WriteByte(s.text[s.at])
		s.at++
	}
	if s.peek() != '"' {
		s.at = begin
		return word{}, s.errorf("a quote that is not closed")
	}
	s.at++
	return word{text: text.String(), quoted: true}, nil
}

// rule reads words up to the comma that ends it.
func (s *scanner) rule() ([]word, error) {
	var words []word
	begin := s.at
	for {
		s.skip()
		switch s.peek() {
		case ',':
			s.at++
			return words, nil
		case 0, '}':
			s.at = begin
			return nil, s.errorf("the rule %q does not end with a comma", textOf(words))
		}
		w, err := s.word()
		if err != nil {
			return nil, err
		}
		words = append(words, w)
	}
}

func textOf(words []word) string {
	var texts []string
	for _, w := range words {
		texts = append(texts, w.text)
	}
	return strings.Join(texts, " ")
}
