package apparmor

import (
	"fmt"
	"regexp"
	"strings"
)

// glob is a path with wildcards.
type glob struct{ is *regexp.Regexp } // nil matches all

// matchAll is what the rule "file," is for.
var matchAll glob

func (g glob) matches(path string) bool { return g.is == nil || g.is.MatchString(path) }

// maxPaths is how many paths one may become by its variables, maxGlobs how many a file
// may have, maxPath how long one may be: no longer path is on any Linux (PATH_MAX).
const (
	maxPaths = 64
	maxGlobs = 5000
	maxPath  = 4096
)

// globs makes one of each value that the variables in a path have.
func (p *parser) globs(path string) ([]glob, error) {
	texts, err := p.expand(path, 0)
	if err != nil {
		return nil, err
	}
	var list []glob
	for _, text := range texts {
		if len(text) > maxPath {
			return nil, fmt.Errorf("a path is longer than %d bytes", maxPath)
		}
		g, err := compile(text)
		if err != nil {
			return nil, err
		}
		list = append(list, g)
	}
	if *p.compiled += len(list); *p.compiled > maxGlobs {
		return nil, fmt.Errorf("the file has more than %d paths", maxGlobs)
	}
	return list, nil
}

// expand puts their values in the place of variables.
func (p *parser) expand(path string, depth int) ([]string, error) {
	begin := strings.Index(path, "@{")
	if begin < 0 {
		return []string{path}, nil
	}
	end := strings.IndexByte(path[begin:], '}')
	if end < 0 {
		return nil, fmt.Errorf("a variable in %q is not closed with a }", path)
	}
	name := path[begin+2 : begin+end]
	values, ok := p.variables[name]
	switch {
	case !ok && len(p.variables) == 0:
		return nil, fmt.Errorf("variable @{%s} is not declared: #include <tunables/global> does it", name)
	case !ok:
		return nil, fmt.Errorf("variable @{%s} is not declared", name)
	case depth == maxDepth:
		return nil, fmt.Errorf("variable @{%s} is made of variables without end", name)
	}
	var texts []string
	for _, value := range values {
		more, err := p.expand(path[:begin]+value+path[begin+end+1:], depth+1)
		if err != nil {
			return nil, err
		}
		if texts = append(texts, more...); len(texts) > maxPaths {
			return nil, fmt.Errorf("%q stands for more than %d paths", path, maxPaths)
		}
	}
	return texts, nil
}

// oneSlash makes one slash of several. Two at the beginning, and no third, mean
// something of their own (POSIX, 4.13 Pathname Resolution), and stay.
func oneSlash(path string) string {
	var text strings.Builder
	two := strings.HasPrefix(path, "//") && !strings.HasPrefix(path, "///")
	for i := 0; i < len(path); i++ {
		if path[i] != '/' || i == 0 || path[i-1] != '/' || i == 1 && two {
			text.WriteByte(path[i])
		}
	}
	return text.String()
}

// compile reads the wildcards of apparmor.d(5), "Globbing".
func compile(path string) (glob, error) {
	path = oneSlash(path)
	var is strings.Builder
	is.WriteString(`(?s)\A`)
	var commas []int // of each open brace
	for i := 0; i < len(path); i++ {
		switch c := path[i]; {
		case c == '\\' && i+1 < len(path):
			i++
			is.WriteString(regexp.QuoteMeta(path[i : i+1]))
		case c == '*':
			end := i
			for end < len(path) && path[end] == '*' {
				end++
			}
			is.WriteString(stars(path, i, end))
			i = end - 1
		case c == '?':
			is.WriteString(`[^/]`)
		case c == '[':
			end := strings.IndexByte(path[i+1:], ']')
			if end <= 0 {
				return glob{}, fmt.Errorf("a [ in %q is not closed, or empty", path)
			}
			is.WriteString(class(path[i+1 : i+1+end]))
			i += end + 1
		case c == '{':
			commas = append(commas, 0)
			is.WriteString(`(?:`)
		case c == ',' && len(commas) > 0:
			commas[len(commas)-1]++
			is.WriteByte('|')
		case c == '}':
			if len(commas) == 0 || commas[len(commas)-1] == 0 {
				return glob{}, fmt.Errorf("in %q a } closes no {, or one without a comma", path)
			}
			commas = commas[:len(commas)-1]
			is.WriteByte(')')
		default:
			is.WriteString(regexp.QuoteMeta(path[i : i+1]))
		}
	}
	if len(commas) > 0 {
		return glob{}, fmt.Errorf("a { in %q is not closed", path)
	}
	is.WriteString(`\z`)
	re, err := regexp.Compile(is.String())
	if err != nil {
		return glob{}, fmt.Errorf("%q is no path with wildcards", path)
	}
	return glob{re}, nil
}

// stars are * or **. Where they are all of a part of a path, that is not empty.
func stars(path string, begin, end int) string {
	one, any := `[^/]`, `[^/]*`
	if end-begin > 1 {
		any = `.*`
	}
	if begin > 0 && path[begin-1] == '/' && (end == len(path) || path[end] == '/') {
		return one + any
	}
	return any
}

// class is what stands in brackets: characters, ranges, a ^ before all that are not meant.
func class(text string) string {
	var is strings.Builder
	is.WriteByte('[')
	for i, c := range text {
		if c == '^' && i == 0 || c == '-' {
			is.WriteRune(c)
			continue
		}
		is.WriteString(regexp.QuoteMeta(string(c)))
	}
	is.WriteByte(']')
	return is.String()
}
