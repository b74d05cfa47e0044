// Package nginx reads the configuration of nginx as nginx does, says how it would
// answer a request, and, where nginx is installed and the configuration is harmless,
// has nginx itself answer (serve.go).
//
// What it reads is what stands in the block http, as in the files of conf.d.
package nginx

import (
	"fmt"
	"path"
	"strings"

	"github.com/pkictl/pkictl/internal/failure"
)

// Files are those that nginx would read, by their names without the first slash.
type Files struct {
	Read func(name string) ([]byte, error)
	// List returns the names in a directory; none where there is no such directory.
	List func(dir string) []string
}

// directive is one of the configuration, with what is in its block.
type directive struct {
	name     string
	args     []string
	block    []directive
	hasBlock bool
	file     string
	line     int
}

func (d directive) errorf(hint, format string, args ...any) error {
	return failure.New(failure.Usage, hint, "%q, line %d: %s", d.file, d.line, fmt.Sprintf(format, args...))
}

// Limits on what strangers write.
const (
	maxDepth      = 20
	maxFiles      = 50
	maxDirectives = 5000
	maxParameter  = 4096 // NGX_CONF_BUFFER
)

// token is a word, or one of ; { }.
type token struct {
	text  string
	plain bool // a word, however it reads
	line  int
}

// tokenize splits a file as ngx_conf_read_token does.
func tokenize(name, text string) ([]token, error) {
	var all []token
	line := 1
	fault := func(format string, args ...any) error {
		return failure.New(failure.Usage, "", "%q, line %d: %s", name, line, fmt.Sprintf(format, args...))
	}
	for i := 0; i < len(text); {
		switch c := text[i]; c {
		case '\n':
			line++
			i++
		case ' ', '\t', '\r':
			i++
		case '#':
			for i < len(text) && text[i] != '\n' {
				i++
			}
		case ';', '{', '}':
			all = append(all, token{string(c), false, line})
			i++
		default:
			start := line
			word, width, lines, ok := readWord(text[i:])
			if !ok {
				return nil, fault("a word has no end: is a quote or a ; missing?")
			}
			i, line = i+width, line+lines
			all = append(all, token{word, true, start})
			if (c == '"' || c == '\'') && i < len(text) && !strings.ContainsRune(" \t\r\n;{)", rune(text[i])) {
				return nil, fault("unexpected %q after a quote", text[i])
			}
		}
	}
	return all, nil
}

// readWord reads a word, in quotes or not.
func readWord(text string) (word string, width, lines int, ok bool) {
	var b strings.Builder
	quote := byte(0)
	i := 0
	if text[0] == '"' || text[0] == '\'' {
		quote, i = text[0], 1
	}
	for ; i < len(text); i++ {
		c := text[i]
		switch {
		case c == '\\' && i+1 < len(text):
			i++
			if text[i] == '\n' {
				lines++
			}
			if n := strings.IndexByte(`"'\`, text[i]); n >= 0 {
				b.WriteByte(text[i])
			} else if n := strings.IndexByte("trn", text[i]); n >= 0 {
				b.WriteByte("\t\r\n"[n])
			} else {
				b.WriteByte('\\')
				b.WriteByte(text[i])
			}
			continue
		case quote != 0 && c == quote:
			return b.String(), i + 1, lines, true
		case quote == 0 && c == '$' && i+1 < len(text) && text[i+1] == '{':
			b.WriteByte(c)
			i++
			b.WriteByte('{')
			continue
		case quote == 0 && (strings.IndexByte(" \t\r\n;", c) >= 0 || c == '{'):
			return b.String(), i, lines, true
		}
		if c == '\n' {
			lines++
		}
		b.WriteByte(c)
	}
	return "", 0, 0, false
}

// reader follows include.
type reader struct {
	files             Files
	count, directives int
}

func (r *reader) file(name string) ([]directive, error) {
	if r.count++; r.count > maxFiles {
		return nil, failure.New(failure.Usage, "", "too many files are included")
	}
	data, err := r.files.Read(name)
	if err != nil {
		return nil, err
	}
	tokens, err := tokenize(name, string(data))
	if err != nil {
		return nil, err
	}
	block, rest, err := r.block(name, tokens, 0)
	if err != nil {
		return nil, err
	}
	if len(rest) > 0 {
		return nil, failure.New(failure.Usage, "", "%q, line %d: unexpected }", name, rest[0].line)
	}
	return block, nil
}

// block reads directives up to a } or the end.
func (r *reader) block(name string, tokens []token, depth int) (all []directive, rest []token, err error) {
	if depth > maxDepth {
		return nil, nil, failure.New(failure.Usage, "", "%q: blocks are nested too deep", name)
	}
	for len(tokens) > 0 {
		if tokens[0] == (token{"}", false, tokens[0].line}) {
			return all, tokens, nil
		}
		d := directive{name: tokens[0].text, file: name, line: tokens[0].line}
		if !tokens[0].plain {
			return nil, nil, d.errorf("", "unexpected %s", tokens[0].text)
		}
		if r.directives++; r.directives > maxDirectives {
			return nil, nil, d.errorf("", "there are more than %d directives", maxDirectives)
		}
		for tokens = tokens[1:]; len(tokens) > 0 && tokens[0].plain; tokens = tokens[1:] {
			d.args = append(d.args, tokens[0].text)
		}
		if len(tokens) == 0 {
			return nil, nil, d.errorf("end it with ;", "the file ends in directive %s", d.name)
		}
		switch tokens[0].text {
		case "}":
			return nil, nil, d.errorf("end the directive before it with ;", "unexpected } after %s", d.name)
		case "{":
			d.hasBlock = true
			if d.block, tokens, err = r.block(name, tokens[1:], depth+1); err != nil {
				return nil, nil, err
			}
			if len(tokens) == 0 {
				return nil, nil, d.errorf("end it with }", "the file ends in the block of %s", d.name)
			}
		}
		tokens = tokens[1:]
		more, err := r.directive(d)
		if err != nil {
			return nil, nil, err
		}
		all = append(all, more...)
	}
	return all, nil, nil
}

// directive returns a directive, or those of the files that it includes.
func (r *reader) directive(d directive) ([]directive, error) {
	if d.name != "include" || d.hasBlock {
		return []directive{d}, nil
	}
	if len(d.args) != 1 {
		return nil, d.errorf("", "include takes one name")
	}
	names, err := r.glob(absolute(d.args[0]))
	if err != nil {
		return nil, d.errorf("", "%v", err)
	}
	if len(names) == 0 && !strings.ContainsAny(d.args[0], "*?[") {
		return nil, d.errorf("", "there is no file %s", d.args[0])
	}
	var all []directive
	for _, name := range names {
		more, err := r.file(name)
		if err != nil {
			return nil, err
		}
		all = append(all, more...)
	}
	return all, nil
}

// absolute returns a name that may be relative to /etc/nginx, without the first slash.
func absolute(name string) string {
	if !path.IsAbs(name) {
		name = "/etc/nginx/" + name
	}
	return strings.TrimPrefix(path.Clean(name), "/")
}

// glob returns the files that a pattern names, in order.
func (r *reader) glob(pattern string) ([]string, error) {
	found := []string{""}
	for part := range strings.SplitSeq(pattern, "/") {
		var next []string
		for _, dir := range found {
			for _, name := range r.files.List(dir) {
				ok, err := path.Match(part, name)
				if err != nil {
					return nil, err
				}
				if ok && (name[0] != '.' || part[0] == '.') {
					next = append(next, path.Join(dir, name))
				}
			}
		}
		if len(next) > maxFiles {
			return nil, fmt.Errorf("too many files are included")
		}
		found = next
	}
	return found, nil
}
