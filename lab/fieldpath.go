package lab

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// object is an object of Kubernetes as its JSON decodes: of a learner's manifest, or
// as an API server answers.
type object = map[string]any

// fieldPath says where in an object a value is:
//
//	spec.replicas                                    a field of a field
//	metadata.labels[app.kubernetes.io/name]          an entry whose key has dots
//	spec.containers[0].image                         an element by its place, from 0
//	spec.containers[name=web].image                  the elements whose name is web
//	spec.containers[*].securityContext.privileged    each element, of which there is one
//	spec.rules[any].host                             one element or more
type fieldPath []pathStep

// pathStep is one step. A text in brackets is read by what it meets, a list or a
// mapping.
type pathStep struct {
	name    string // of a field, or what is in the brackets
	bracket bool
}

// How brackets choose among the elements of a list.
const (
	eachElement = "*"
	someElement = "any"
)

// parsePath reads the notation above.
func parsePath(text string) (fieldPath, error) {
	var steps fieldPath
	rest := text
	for rest != "" {
		if strings.HasPrefix(rest, "[") {
			end := strings.IndexByte(rest, ']')
			if end < 2 || len(steps) == 0 {
				return nil, errors.New("brackets stand behind a field and have something in them")
			}
			steps = append(steps, pathStep{rest[1:end], true})
			rest = rest[end+1:]
			if rest != "" && rest[0] != '.' && rest[0] != '[' {
				return nil, errors.New("behind ] comes a dot")
			}
			continue
		}
		if len(steps) > 0 {
			rest = strings.TrimPrefix(rest, ".")
		}
		end := strings.IndexAny(rest, ".[")
		if end < 0 {
			end = len(rest)
		}
		if end == 0 || strings.ContainsAny(rest[:end], "]*= ") {
			return nil, errors.New("a field has no name")
		}
		steps = append(steps, pathStep{rest[:end], false})
		rest = rest[end:]
		if rest == "." {
			return nil, errors.New("it ends with a dot")
		}
	}
	if len(steps) == 0 {
		return nil, errors.New("it is empty")
	}
	return steps, nil
}

// value is what is at a path; nil, which JSON calls null, and nothing are the same.
type value struct {
	path string // as a person finds it: elements by their names
	it   any
}

// holds is a question to a value: what there is instead in words, and whether it is
// as wanted.
type holds func(v value) (found string, ok bool)

// judgeAt asks a question of what is at a path. Where a step leads nowhere the value
// is nil, at the whole path.
func judgeAt(v value, steps fieldPath, ask holds) (found string, ok bool) {
	if len(steps) == 0 {
		return ask(v)
	}
	step, rest := steps[0], steps[1:]
	elements, isList := v.it.([]any)
	switch {
	case !step.bracket:
		return judgeAt(v.field(step.name), rest, ask)
	case !isList:
		if _, isMap := v.it.(map[string]any); isMap {
			return judgeAt(value{v.path + "[" + step.name + "]", v.it.(map[string]any)[step.name]}, rest, ask)
		}
	}
	var chosen []value
	for i, element := range elements {
		if step.chooses(i, element) {
			chosen = append(chosen, value{elementPath(v.path, i, element), element})
		}
	}
	if len(chosen) == 0 {
		return judgeAt(value{v.path + "[" + step.name + "]", nil}, rest, ask)
	}
	for _, element := range chosen {
		found, ok = judgeAt(element, rest, ask)
		if ok == (step.name == someElement) {
			break // one that holds is enough, or one that does not
		}
	}
	return found, ok
}

func (v value) field(name string) value {
	path := name
	if v.path != "" {
		path = v.path + "." + name
	}
	fields, _ := v.it.(map[string]any)
	return value{path, fields[name]}
}

// chooses says whether brackets mean an element of a list.
func (s pathStep) chooses(at int, element any) bool {
	if s.name == eachElement || s.name == someElement {
		return true
	}
	if name, want, ok := strings.Cut(s.name, "="); ok {
		for _, field := range strings.Split(name, ".") {
			fields, _ := element.(map[string]any)
			element = fields[field]
		}
		return element != nil && fmt.Sprint(element) == want
	}
	return s.name == strconv.Itoa(at)
}

// elementPath names an element by its name, where it has one, and else by its place.
func elementPath(list string, at int, element any) string {
	fields, _ := element.(map[string]any)
	if name, ok := fields["name"].(string); ok && name != "" {
		return list + "[name=" + name + "]"
	}
	return fmt.Sprintf("%s[%d]", list, at)
}
