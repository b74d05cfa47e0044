package cluster

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
	"github.com/pkictl/pkictl/internal/yamlfile"
)

// maxSettingsValues is more than any configuration needs. A node of YAML takes
// up to 700 bytes of memory.
const maxSettingsValues = 100_000

// settingsFile is a file of settings in YAML, or in the JSON that YAML reads.
type settingsFile struct{ yamlfile.File }

func newSettingsFile(name string) settingsFile {
	return settingsFile{yamlfile.File{Name: name, Hint: settingsHint}}
}

// documents returns the documents of a file, those without contents left out.
func (f settingsFile) documents(data []byte) ([]*yaml.Node, error) {
	if len(data) > store.MaxYAML {
		return nil, failure.New(failure.Usage, "check that it is the file you mean", "%q is larger than %d MiB", f.Name, store.MaxYAML>>20)
	}
	values := 0
	for _, mark := range []byte{'\n', ',', ':', '[', '{'} {
		values += bytes.Count(data, []byte{mark})
	}
	if values > maxSettingsValues {
		return nil, failure.New(failure.Usage, "check that it is the file you mean", "%q holds more than some %d values", f.Name, maxSettingsValues)
	}
	roots, err := f.Documents(data)
	if err != nil {
		return nil, err
	}
	if roots = slices.DeleteFunc(roots, isNull); len(roots) == 0 {
		return nil, f.Empty()
	}
	return roots, nil
}

// strictDecoder fills a struct from a document as Kubernetes' strict decoder
// does (sigs.k8s.io/json.UnmarshalStrict behind sigs.k8s.io/yaml), whose errors
// name neither line nor remedy: the names of fields are exact, unknown ones and
// those given twice are errors, a value has the type of its field.
type strictDecoder struct {
	settingsFile
	kind string // of the document
	// version selects the fields that are tagged in:"version".
	version string
	// nulls says whether a field may have no value, as all may in the API of Kubernetes.
	nulls bool
	// places says where each field is, by its path, like etcd.local.
	places map[string]*yaml.Node
}

// decode fills what to points to.
func (d *strictDecoder) decode(root *yaml.Node, to any) error {
	d.places = map[string]*yaml.Node{}
	if err := d.Check(root); err != nil {
		return err
	}
	return d.value(root, "", reflect.ValueOf(to).Elem())
}

func (d *strictDecoder) value(n *yaml.Node, path string, to reflect.Value) error {
	if isNull(n) {
		if d.nulls {
			return nil
		}
		return d.ErrorAt(n, "give it a value, or leave it out", "%s has no value", d.called(path))
	}
	if to.Kind() == reflect.Pointer {
		to.Set(reflect.New(to.Type().Elem()))
		return d.value(n, path, to.Elem())
	}
	if own, ok := to.Addr().Interface().(json.Unmarshaler); ok {
		return d.unmarshal(n, path, own)
	}
	if args, ok := to.Addr().Interface().(*kubeadmArgs); ok && d.version == v1beta3 {
		return d.argsByName(n, path, args)
	}
	switch to.Kind() {
	case reflect.Struct:
		return d.mapping(n, path, func(key, value *yaml.Node) error {
			field, err := d.field(key, path, to)
			if err != nil {
				return err
			}
			return d.value(value, join(path, key.Value), field)
		})
	case reflect.Map:
		to.Set(reflect.MakeMap(to.Type()))
		return d.mapping(n, path, func(key, value *yaml.Node) error {
			element := reflect.New(to.Type().Elem()).Elem()
			err := d.value(value, join(path, key.Value), element)
			to.SetMapIndex(reflect.ValueOf(key.Value), element)
			return err
		})
	case reflect.Slice:
		return d.list(n, path, to)
	default:
		return d.scalar(n, path, to)
	}
}

func (d *strictDecoder) mapping(n *yaml.Node, path string, read func(key, value *yaml.Node) error) error {
	if n.Kind != yaml.MappingNode {
		return d.wrongType(n, path, "a mapping", "write fields with their values, as in name: value")
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Kind != yaml.ScalarNode {
			return d.ErrorAt(key, "write name: value", "a field of %s has no plain name", d.called(path))
		}
		if line, again := seen[key.Value]; again {
			return d.ErrorAt(key, fmt.Sprintf("it stands in line %d; keep one of the two", line), "field %s of %s is given twice", shown(key.Value), d.called(path))
		}
		seen[key.Value] = key.Line
		d.places[join(path, key.Value)] = key
		if err := read(key, value); err != nil {
			return err
		}
	}
	return nil
}

func (d *strictDecoder) list(n *yaml.Node, path string, to reflect.Value) error {
	if n.Kind != yaml.SequenceNode {
		return d.wrongType(n, path, "a list", "write a list, as in [a, b]")
	}
	to.Set(reflect.MakeSlice(to.Type(), len(n.Content), len(n.Content)))
	for i, element := range n.Content {
		if err := d.value(element, fmt.Sprintf("%s[%d]", path, i), to.Index(i)); err != nil {
			return err
		}
	}
	return nil
}

// argsByName reads flags in the form of v1beta3, name: value.
func (d *strictDecoder) argsByName(n *yaml.Node, path string, to *kubeadmArgs) error {
	return d.mapping(n, path, func(key, value *yaml.Node) error {
		arg := kubeadmArg{Name: key.Value}
		d.places[argPath(path, len(*to))] = key
		err := d.value(value, join(path, key.Value), reflect.ValueOf(&arg.Value).Elem())
		*to = append(*to, arg)
		return err
	})
}

// argPath is where the name of a flag is found, whatever its form.
func argPath(path string, i int) string { return fmt.Sprintf("%s[%d].name", path, i) }

func (d *strictDecoder) scalar(n *yaml.Node, path string, to reflect.Value) error {
	tag := scalarTag(n)
	switch to.Kind() {
	case reflect.String:
		if tag != "!!str" {
			return d.wrongType(n, path, "a text", "write one value, in quotes")
		}
		to.SetString(n.Value)
	case reflect.Bool:
		var value bool
		if tag != "!!bool" || n.Decode(&value) != nil {
			return d.wrongType(n, path, "true or false", "write true or false, without quotes")
		}
		to.SetBool(value)
	case reflect.Int, reflect.Int32, reflect.Int64:
		value, ok := whole(n, tag)
		if !ok || to.OverflowInt(value) {
			return d.wrongType(n, path, "a whole number that fits", "write a number without quotes")
		}
		to.SetInt(value)
	default:
		return d.ErrorAt(n, "", "%s cannot be read", d.called(path)) // no struct here has such a field
	}
	return nil
}

// whole reads a number; 6443.0 is one, as it is 6443 in JSON.
func whole(n *yaml.Node, tag string) (int64, bool) {
	var integer int64
	var float float64
	switch {
	case tag == "!!int":
		return integer, n.Decode(&integer) == nil
	case tag == "!!float" && n.Decode(&float) == nil:
		return int64(float), float == math.Trunc(float) && math.Abs(float) < 1<<53
	}
	return 0, false
}

// unmarshal fills one of the types of Kubernetes that read their JSON
// themselves: durations, times and quantities.
func (d *strictDecoder) unmarshal(n *yaml.Node, path string, to json.Unmarshaler) error {
	var value any = n.Value
	if tag := scalarTag(n); tag == "!!int" || tag == "!!float" {
		var number float64
		if err := n.Decode(&number); err != nil {
			return d.wrongType(n, path, "a number that can be read", "write it as a text, in quotes")
		}
		value = number
	} else if tag != "!!str" {
		return d.wrongType(n, path, "a text", "write one value, in quotes")
	}
	encoded, err := json.Marshal(value)
	if err == nil {
		err = to.UnmarshalJSON(encoded)
	}
	if err != nil {
		return d.ErrorAt(n, "write a duration like 8760h0m0s, a time like 2030-01-02T03:04:05Z", "%s cannot be read", d.called(path))
	}
	return nil
}

// field returns the field of a struct with that name, those of embedded
// structs included.
func (d *strictDecoder) field(key *yaml.Node, path string, of reflect.Value) (reflect.Value, error) {
	var names, others []string
	var found reflect.Value
	var visit func(of reflect.Value)
	visit = func(of reflect.Value) {
		for i := range of.NumField() {
			field := of.Type().Field(i)
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			switch only := field.Tag.Get("in"); {
			case name == "" && field.Anonymous:
				visit(of.Field(i))
			case name == "" || name == "-":
			case only != "" && only != d.version:
				if name == key.Value {
					others = append(others, only)
				}
			default:
				names = append(names, name)
				if name == key.Value {
					found = of.Field(i)
				}
			}
		}
	}
	visit(of)
	if found.IsValid() {
		return found, nil
	}
	slices.Sort(names)
	hint := failure.Suggest(key.Value, names)
	if len(others) > 0 {
		hint = "it is a field of " + kubeadmGroup + others[0]
	}
	return found, d.ErrorAt(key, hint, "unknown field %s in %s", shown(key.Value), d.called(path))
}

// wrongType does not show the value, which may be a token.
func (d *strictDecoder) wrongType(n *yaml.Node, path, want, hint string) error {
	return d.ErrorAt(n, hint, "%s is %s, not %s", d.called(path), kindOf(n), want)
}

// called returns what errors call the value at a path, in which the names of a
// mapping may hold anything.
func (d *strictDecoder) called(path string) string {
	switch {
	case path == "":
		return d.kind
	case len(path) > 80 || strings.ContainsFunc(path, func(r rune) bool { return !unicode.IsPrint(r) }):
		return shown(path)
	}
	return path
}

// join adds a name to a path.
func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func kindOf(n *yaml.Node) string {
	if n.Kind == yaml.MappingNode {
		return "a mapping"
	}
	if n.Kind == yaml.SequenceNode {
		return "a list"
	}
	switch scalarTag(n) {
	case "!!str":
		return "a text"
	case "!!bool":
		return "true or false (YAML takes yes, no, on and off for these)"
	case "!!int", "!!float":
		return "a number"
	}
	return "of another kind"
}

// scalarTag is the type of a scalar as the YAML 1.1 of Kubernetes has it: yes
// and off are booleans, and dates are texts. Empty for what is no scalar.
func scalarTag(n *yaml.Node) string {
	if n.Kind != yaml.ScalarNode {
		return ""
	}
	tag := n.ShortTag()
	switch {
	case tag == "!!timestamp":
		return "!!str"
	case tag == "!!str" && n.Style == 0 && slices.Contains([]string{"y", "Y", "yes", "Yes", "YES", "on", "On", "ON",
		"n", "N", "no", "No", "NO", "off", "Off", "OFF"}, n.Value):
		return "!!bool"
	}
	return tag
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }
