package falco

import (
	"slices"
	"strings"
)

// formatted is a field in an output.
type formatted struct {
	operand
	unknown string // what follows a % and is no field
}

// parseOutput returns the fields of an output. A field is the longest name that there
// is; %% is a %.
func parseOutput(output string, fields map[string]field) (parts []formatted) {
	for {
		_, after, ok := strings.Cut(output, "%")
		if !ok {
			return parts
		}
		if output, ok = strings.CutPrefix(after, "%"); ok {
			continue
		}
		part, width := parseField(after, fields)
		parts, output = append(parts, part), after[width:]
	}
}

// parseField reads a field, or tolower(FIELD) and the like, from the beginning.
func parseField(text string, fields map[string]field) (f formatted, width int) {
	for _, transformer := range transformers {
		if strings.HasPrefix(text, transformer) {
			f, width = parseField(text[len(transformer):], fields)
			end := len(transformer) + width
			if f.unknown == "" && strings.HasPrefix(text[end:], ")") {
				f.transformers = append([]string{strings.TrimSuffix(transformer, "(")}, f.transformers...)
				return f, end + 1
			}
			return formatted{unknown: strings.TrimSuffix(transformer, "(")}, len(transformer)
		}
	}
	end := strings.IndexFunc(text, func(r rune) bool {
		return r != '.' && r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
	if end < 0 {
		end = len(text)
	}
	end = min(end, 100) // longer than any name
	for name := text[:end]; name != ""; name = name[:len(name)-1] {
		known, ok := lookUp(fields, name)
		if !ok && name != "container.info" { // which Falco puts there itself
			continue
		}
		f.name, width = name, len(name)
		if known.argument != 0 && strings.HasPrefix(text[width:], "[") {
			if i := strings.IndexByte(text[width:], ']'); i > 0 {
				f.argument, width = text[width+1:width+i], width+i+1
			}
		}
		return f, width
	}
	return formatted{unknown: text[:end]}, end
}

// checkOutput says which field of an output there is not.
func (r *Rules) checkOutput(rule *Rule, at place) error {
	parts := parseOutput(rule.Output, r.fields)
	for _, part := range parts {
		if part.unknown != "" || part.name == "" {
			return at.errorf(suggestField(r.fields, part.unknown), "its output names %s, which is no field", "%"+part.unknown)
		}
		if f, _ := lookUp(r.fields, part.name); f.argument == '!' && part.argument == "" {
			return at.errorf("write it like %"+part.name+"[1]", "its output names %s without its argument", "%"+part.name)
		}
	}
	return nil
}

// OutputFields returns the fields that a rule's output names, each once.
func (r *Rules) OutputFields(rule *Rule) []string {
	var names []string
	parts := parseOutput(rule.Output, r.fields)
	for _, part := range parts {
		name := part.name
		if part.argument != "" {
			name += "[" + part.argument + "]"
		}
		if name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}
