package lab

import (
	"crypto/x509/pkix"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
)

// attributes are the parts of a subject that a check may ask for, by the names that
// openssl takes, with their OIDs (RFC 4519).
var attributes = [...]struct{ name, oid string }{
	{"C", "2.5.4.6"}, {"ST", "2.5.4.8"}, {"L", "2.5.4.7"}, {"O", "2.5.4.10"}, {"OU", "2.5.4.11"}, {"CN", "2.5.4.3"},
}

// readSubject reads what a subject is to say: of each attribute that is named all
// values, in any order. Those that are not named do not matter.
func readSubject[T any](p *params, of func(T) (pkix.Name, []byte)) func(n *yaml.Node) (condition[T], error) {
	return func(n *yaml.Node) (condition[T], error) {
		var conditions []condition[T]
		err := p.Entries(n, "subject", func(key, value *yaml.Node) error {
			c, err := readAttribute(p, key, value, of)
			conditions = append(conditions, c)
			return err
		})
		if err == nil && len(conditions) == 0 {
			err = p.ErrorAt(n, "write it like {CN: kube-admin}", "subject asks for nothing")
		}
		asked := all(conditions)
		return func(it T, w *work) (string, string, bool) {
			wanted, found, ok := asked(it, w)
			return "subject with " + wanted, found, ok
		}, err
	}
}

func readAttribute[T any](p *params, key, value *yaml.Node, of func(T) (pkix.Name, []byte)) (condition[T], error) {
	var names []string
	oid := ""
	for _, a := range attributes {
		names = append(names, a.name)
		if a.name == key.Value {
			oid = a.oid
		}
	}
	if oid == "" {
		return nil, p.ErrorAt(key, failure.Suggest(key.Value, names), "a check can ask for no attribute %q", key.Value)
	}
	want, err := p.textOrTexts(value, key.Value)
	return func(it T, _ *work) (string, string, bool) {
		name, raw := of(it)
		var wanted []string
		for _, v := range want {
			wanted = append(wanted, key.Value+"="+v)
		}
		is := valuesOf(name, oid)
		slices.Sort(is)
		return strings.Join(wanted, ", "), "subject " + ca.FormatName(raw), slices.Equal(is, slices.Sorted(slices.Values(want)))
	}, err
}

// valuesOf returns all values of an attribute.
func valuesOf(name pkix.Name, oid string) []string {
	var values []string
	for _, a := range name.Names {
		if a.Type.String() == oid {
			values = append(values, fmt.Sprint(a.Value))
		}
	}
	return values
}

// all joins conditions of the same thing: what was found is said once.
func all[T any](conditions []condition[T]) condition[T] {
	return func(it T, w *work) (string, string, bool) {
		var wanted, found []string
		passed := true
		for _, c := range conditions {
			want, is, ok := c(it, w)
			wanted = append(wanted, want)
			if passed = passed && ok; !ok {
				found = append(found, is)
			}
		}
		return strings.Join(distinct(wanted), ", "), strings.Join(distinct(found), "; "), passed
	}
}

// textOrTexts reads one text, or a list of at least one.
func (p *params) textOrTexts(n *yaml.Node, what string) ([]string, error) {
	if n.Kind != yaml.SequenceNode {
		text, err := p.Text(n, what)
		return []string{text}, err
	}
	list, err := p.Texts(n, what)
	if err == nil && len(list) == 0 {
		err = p.ErrorAt(n, "name at least one", "%s is an empty list", what)
	}
	return list, err
}
