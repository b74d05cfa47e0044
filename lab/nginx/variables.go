package nginx

import (
	"maps"
	"regexp"
	"slices"
	"strings"
)

// expand puts in the variables that redirects are made of.
func (r *request) expand(text string) string {
	scheme, isArgs := "http", ""
	if r.tls {
		scheme = "https"
	}
	if r.args != "" {
		isArgs = "?"
	}
	pairs := r.own(text)
	for _, v := range [...]struct{ name, value string }{ // none the beginning of a later one
		{"request_uri", r.original}, {"document_uri", r.uri}, {"uri", r.uri}, {"host", r.host}, {"http_host", r.host},
		{"server_name", r.name}, {"scheme", scheme}, {"is_args", isArgs}, {"query_string", r.args}, {"args", r.args},
	} {
		pairs = append(pairs, "${"+v.name+"}", v.value, "$"+v.name, v.value)
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// own are the variables of set and map in a text, the longest names first.
func (r *request) own(text string) (pairs []string) {
	values := map[string]string{}
	maps.Copy(values, r.set)
	for _, d := range r.mapped {
		if name := strings.TrimPrefix(d.args[1], "$"); strings.Contains(text, name) && ofRequest(d.args[0]) {
			from := *r
			from.mapped, from.set = nil, nil
			if value := mapped(d.block, from.expand(d.args[0])); ofRequest(value) {
				values[name] = shortened(from.expand(value))
			}
		}
	}
	for _, name := range slices.SortedFunc(maps.Keys(values), func(a, b string) int { return len(b) - len(a) }) {
		pairs = append(pairs, "${"+name+"}", values[name], "$"+name, values[name])
	}
	return pairs
}

// shortened keeps what an answer is made of within bounds.
func shortened(value string) string { return value[:min(len(value), 1<<10)] }

// mapped is what a map has for a value: by the value itself, or else by the first
// pattern, or else its default.
func mapped(entries []directive, value string) (found string) {
	pattern := false
	for _, d := range entries {
		if len(d.args) != 1 {
			continue
		}
		expression, isPattern := strings.CutPrefix(d.name, "~")
		if rest, fold := strings.CutPrefix(expression, "*"); isPattern && fold {
			expression = "(?i)" + rest
		}
		switch {
		case strings.EqualFold(strings.TrimPrefix(d.name, `\`), value):
			return d.args[0]
		case isPattern && !pattern:
			if re, err := regexp.Compile(expression); err == nil && re.MatchString(value) {
				found, pattern = d.args[0], true
			}
		case d.name == "default" && !pattern:
			found = d.args[0]
		}
	}
	return found
}

// ofRequest says whether a text has no variables but those that a request has. With
// those of set and map, which may be made of each other, a value grows without end.
func ofRequest(text string) bool {
	return onlyVariables(text, "request_uri", "document_uri", "uri", "host", "http_host", "server_name", "scheme", "is_args", "query_string", "args")
}

// onlyVariables says whether all variables in a text are among some. Their names are
// read to the end: $uri is not in $urix.
func onlyVariables(text string, names ...string) bool {
	for {
		_, after, there := strings.Cut(text, "$")
		if !there {
			return true
		}
		var name string
		if inner, braced := strings.CutPrefix(after, "{"); braced {
			name, text, _ = strings.Cut(inner, "}")
		} else {
			end := strings.IndexFunc(after, func(r rune) bool {
				return r != '_' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
			})
			if end < 0 {
				end = len(after)
			}
			name, text = after[:end], after[end:]
		}
		if !slices.Contains(names, name) {
			return false
		}
	}
}
