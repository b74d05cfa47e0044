package lab

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	kjson "sigs.k8s.io/json"

	"github.com/pkictl/pkictl/internal/yamlfile"
)

// objectFields reads conditions on the fields of an object: paths (fieldPath) with
// what is wanted there. That is a plain value, or a mapping of
//
//	equals    the value, also a whole list or mapping
//	not       a value, or a list of values, that it must not be; absent is well
//	oneOf     a list of values of which it must be one
//	absent    true: it is not there
//	present   true: it is there
//	contains  a value, or a list, that a list must have among others
//	lacks     a value, or a list, of which a list must have none; absent is well
//	only      a list that has these values and no others, in any order
//	min, max  a number, or in quotes a quantity such as 64Mi or 250m
//	default   what an absent field counts as
//
// All of them must hold. Values compare as they are written: 80 is not "80".
func (p *params) objectFields(conditions *[]condition[object]) yamlfile.Key {
	return yamlfile.Key{Name: "fields", Read: func(n *yaml.Node) error {
		return p.Entries(n, "fields", func(key, wanted *yaml.Node) error {
			path, err := parsePath(key.Value)
			if err != nil {
				return p.ErrorAt(key, "write it like spec.containers[name=web].image", "%q is no path to a field: %v", key.Value, err)
			}
			w := &wantedField{params: p, path: key.Value}
			if err := w.read(wanted); err != nil {
				return err
			}
			*conditions = append(*conditions, func(it object, _ *work) (string, string, bool) {
				found, ok := judgeAt(value{"", it}, path, w.judge)
				return w.String(), found, ok
			})
			return nil
		})
	}}
}

// wantedField is what is wanted of a value.
type wantedField struct {
	*params
	path     string
	asked    []string // in words
	asks     []fieldQuestion
	standard any // what an absent value counts as
}

// fieldQuestion is one that a value is asked.
type fieldQuestion struct {
	holds func(v any) bool
	amiss func(v any) string // what is wrong with a list; may be nil
}

// String says what is wanted, as in "spec.replicas is 3".
func (w *wantedField) String() string { return w.path + " " + strings.Join(w.asked, " and ") }

func (w *wantedField) judge(v value) (found string, ok bool) {
	it := v.it
	if it == nil {
		it = w.standard
	}
	for _, ask := range w.asks {
		if ask.holds(it) {
			continue
		}
		if elements, isList := it.([]any); isList && ask.amiss != nil && len(elements) > 0 {
			return v.path + " " + ask.amiss(it), false
		}
		return v.path + " is " + shown(v.it), false
	}
	return v.path + " is " + shown(v.it), true
}

// maxShown is how much of a value is shown, in bytes.
const maxShown = 120

// shown is a value in a line.
func shown(v any) string {
	if v == nil {
		return "absent"
	}
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	if text, ok := v.(string); ok && text != "" && !strings.ContainsAny(text, " \n\t") && !looksOtherwise(text) {
		data = []byte(text)
	}
	if len(data) > maxShown {
		return strings.ToValidUTF8(string(data[:maxShown]), "") + "…"
	}
	return string(data)
}

// looksOtherwise says whether a text without quotes would look like a number or a
// boolean.
func looksOtherwise(text string) bool {
	var v any
	return json.Unmarshal([]byte(text), &v) == nil
}

// want adds a question.
func (w *wantedField) want(words string, holds func(v any) bool) {
	w.asked, w.asks = append(w.asked, words), append(w.asks, fieldQuestion{holds: holds})
}

// wantList adds a question to a list, with what is wrong where it does not hold.
func (w *wantedField) wantList(words string, holds func(v any) bool, amiss func(v any) string) {
	w.asked, w.asks = append(w.asked, words), append(w.asks, fieldQuestion{holds, amiss})
}

func (w *wantedField) read(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		return w.readEquals(n)
	}
	if n.Kind == yaml.SequenceNode {
		return w.ErrorAt(n, "write {equals: [a, b]} for this order, or {only: [a, b]} for any", "what is wanted at %s is a plain list", w.path)
	}
	err := w.Mapping(n, "what is wanted at "+w.path,
		yamlfile.Key{Name: "equals", Read: w.readEquals},
		yamlfile.Key{Name: "not", Read: w.readNot},
		yamlfile.Key{Name: "oneOf", Read: w.readOneOf},
		yamlfile.Key{Name: "absent", Read: w.isTrue("absent", func(v any) bool { return v == nil })},
		yamlfile.Key{Name: "present", Read: w.isTrue("present", func(v any) bool { return v != nil })},
		yamlfile.Key{Name: "contains", Read: w.readContains},
		yamlfile.Key{Name: "lacks", Read: w.readLacks},
		yamlfile.Key{Name: "only", Read: w.readOnly},
		yamlfile.Key{Name: "min", Read: w.readBound("at least", func(sign int) bool { return sign >= 0 })},
		yamlfile.Key{Name: "max", Read: w.readBound("at most", func(sign int) bool { return sign <= 0 })},
		yamlfile.Key{Name: "default", Read: func(n *yaml.Node) (err error) { w.standard, err = w.json(n); return err }},
	)
	if err == nil && len(w.asks) == 0 {
		err = w.ErrorAt(n, "write for example {equals: true}", "nothing is wanted at %s", w.path)
	}
	return err
}

// decodeJSON decodes as Kubernetes does: whole numbers stay whole.
func decodeJSON(data []byte) (v any, err error) {
	err = kjson.UnmarshalCaseSensitivePreserveInts(data, &v)
	return v, err
}

// json reads a value as JSON decodes it.
func (w *wantedField) json(n *yaml.Node) (any, error) {
	var v any
	err := n.Decode(&v)
	if err == nil {
		v, err = plainJSON(v)
	}
	if err != nil || v == nil {
		return nil, w.ErrorAt(n, "write a text, a number, true, false, a list or a mapping", "it is no value of JSON")
	}
	return v, nil
}

// plainJSON has numbers, lists and mappings of the types that a decoded object has.
func plainJSON(v any) (any, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return decodeJSON(data)
}

// jsonList reads a list of values; one alone counts as a list.
func (w *wantedField) jsonList(n *yaml.Node) ([]any, error) {
	v, err := w.json(n)
	if err != nil {
		return nil, err
	}
	list, ok := v.([]any)
	if !ok {
		return []any{v}, nil
	}
	if len(list) == 0 {
		return nil, w.ErrorAt(n, "name at least one", "the list is empty")
	}
	return list, nil
}

func shownList(list []any) string {
	var words []string
	for _, v := range list {
		words = append(words, shown(v))
	}
	return theFirst(words)
}

// without returns the values of a list that are not in another.
func without(v any, others []any) (left []any) {
	elements, _ := v.([]any)
	for _, e := range elements {
		if !has(others, e) {
			left = append(left, e)
		}
	}
	return left
}

// amongst returns the values of a list that are in another, too.
func amongst(v any, others []any) (both []any) {
	elements, _ := v.([]any)
	for _, e := range elements {
		if has(others, e) {
			both = append(both, e)
		}
	}
	return both
}

// absentFrom says which values a list does not have.
func absentFrom(v any, wanted []any) string {
	elements, _ := v.([]any)
	return "lacks " + shownList(without(wanted, elements))
}

func (w *wantedField) readEquals(n *yaml.Node) error {
	want, err := w.json(n)
	w.want("is "+shown(want), func(v any) bool { return same(v, want) })
	return err
}

func (w *wantedField) readNot(n *yaml.Node) error {
	list, err := w.jsonList(n)
	w.want("is not "+shownList(list), func(v any) bool { return !has(list, v) })
	return err
}

func (w *wantedField) readOneOf(n *yaml.Node) error {
	list, err := w.jsonList(n)
	w.want("is one of "+shownList(list), func(v any) bool { return has(list, v) })
	return err
}

func (w *wantedField) readContains(n *yaml.Node) error {
	list, err := w.jsonList(n)
	w.wantList("has "+shownList(list), func(v any) bool { return hasAll(v, list) }, func(v any) string { return absentFrom(v, list) })
	return err
}

func (w *wantedField) readLacks(n *yaml.Node) error {
	list, err := w.jsonList(n)
	w.wantList("has no "+shownList(list), func(v any) bool {
		_, isList := v.([]any)
		return (isList || v == nil) && len(amongst(v, list)) == 0
	}, func(v any) string { return "has " + shownList(amongst(v, list)) })
	return err
}

func (w *wantedField) readOnly(n *yaml.Node) error {
	list, err := w.jsonList(n)
	w.wantList("has "+shownList(list)+" and nothing else", func(v any) bool {
		return hasAll(v, list) && len(without(v, list)) == 0
	}, func(v any) string {
		if !hasAll(v, list) {
			return absentFrom(v, list)
		}
		return "has " + shownList(without(v, list)) + ", too"
	})
	return err
}

func hasAll(v any, wanted []any) bool {
	elements, ok := v.([]any)
	return ok && !slices.ContainsFunc(wanted, func(want any) bool { return !has(elements, want) })
}

func has(list []any, v any) bool {
	return slices.ContainsFunc(list, func(e any) bool { return same(e, v) })
}

// same compares values of JSON. 1 and 1.0 are the same number.
func same(a, b any) bool {
	if x, ok := number(a); ok {
		y, ok := number(b)
		return ok && x == y
	}
	return reflect.DeepEqual(a, b)
}

func number(v any) (float64, bool) {
	switch n := v.(type) {
	case int64:
		return float64(n), true
	case float64:
		return n, true
	}
	return 0, false
}

// isTrue reads a condition that has no other value.
func (w *wantedField) isTrue(what string, holds func(v any) bool) func(n *yaml.Node) error {
	return func(n *yaml.Node) error {
		is, err := w.Boolean(n, what)
		if err == nil && !is {
			err = w.ErrorAt(n, "write true, or leave it out", "%s is false", what)
		}
		w.want("is "+what, holds)
		return err
	}
}

// readBound reads a bound: a number for numbers, a text for quantities.
func (w *wantedField) readBound(words string, holds func(sign int) bool) func(n *yaml.Node) error {
	return func(n *yaml.Node) error {
		want, err := w.json(n)
		if err != nil {
			return err
		}
		bound, ok := quantity(want)
		if !ok {
			return w.ErrorAt(n, `write a number, or a quantity such as "64Mi"`, "%s is no bound", shown(want))
		}
		_, isText := want.(string)
		w.want("is "+words+" "+shown(want), func(v any) bool {
			if _, text := v.(string); text && !isText {
				return false // a text where a number is wanted
			}
			q, ok := quantity(v)
			return ok && holds(q.Cmp(bound))
		})
		return nil
	}
}
