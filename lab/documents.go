package lab

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	kjson "sigs.k8s.io/json"
	"sigs.k8s.io/yaml"
)

// maxManifest is more than any manifest of a lab needs, in bytes; maxDocuments is how
// many objects may be in one file; maxLists is how deep lists may lie in lists.
const (
	maxManifest  = 256 << 10
	maxDocuments = 200
	maxLists     = 3
)

// document is one object of Kubernetes in a learner's file, as JSON.
type document struct {
	file string
	metav1.TypeMeta
	Namespace, Name string
	json            []byte
}

// String calls it as kubectl does: Pod web/nginx.
func (d document) String() string {
	name := d.Name
	if d.Namespace != "" {
		name = d.Namespace + "/" + name
	}
	return strings.TrimSpace(d.Kind + " " + name)
}

// documents returns the objects in a learner's file of manifests, those of lists one
// by one, as kubectl reads them; or says in found why there are none.
func (w *work) documents(name string) (docs []document, found string) {
	data, found := w.learner.file(name, maxManifest)
	if found != "" {
		return nil, found
	}
	if docs, found = decodeDocuments(name, data); found == "" && len(docs) == 0 {
		found = name + " has no object"
	}
	return docs, found
}

// decodeDocuments returns the objects in what a file of that name holds, of which
// there may be none.
func decodeDocuments(name string, data []byte) (docs []document, found string) {
	reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(data)))
	for parts := 1; ; parts++ {
		part, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return docs, ""
		}
		if err != nil {
			return nil, notYAML(name, parts, data, err)
		}
		for _, part := range objectsIn(part) {
			if part, err = yaml.YAMLToJSONStrict(part); err != nil {
				return nil, notYAML(name, parts, data, err)
			}
			if docs, found = appendDocuments(docs, name, part, maxLists); found != "" {
				return nil, found
			}
		}
	}
}

// objectsIn splits what stands between two lines of --- into the objects of JSON that
// it is made of, one after the other, as kubectl does. What is none is one document.
func objectsIn(part []byte) (objects [][]byte) {
	if !bytes.HasPrefix(bytes.TrimLeft(part, " \t\r\n\ufeff"), []byte("{")) {
		return [][]byte{part}
	}
	for decoder := json.NewDecoder(bytes.NewReader(part)); ; {
		var object json.RawMessage
		switch err := decoder.Decode(&object); {
		case err == nil:
			objects = append(objects, object)
		case errors.Is(err, io.EOF):
			return objects
		default: // YAML that begins with {, or nothing that can be read
			return [][]byte{part}
		}
	}
}

// givenTwice is how the parser of YAML says that a mapping has a key twice.
var givenTwice = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`(line \d+): key "(.*)" already set in map`) })

// notYAML says why a file cannot be read. Lines are counted from where the document
// begins.
func notYAML(name string, part int, data []byte, err error) string {
	if bytes.Contains(data, []byte("{{")) {
		return name + " is a template, not a manifest: there is {{ in it"
	}
	if twice := givenTwice().FindStringSubmatch(err.Error()); twice != nil {
		return fmt.Sprintf("%s has %s twice in one mapping, in %s of a document: kubectl takes the last and drops the other without a word, so write it once", name, twice[2], twice[1])
	}
	message := strings.TrimPrefix(strings.TrimPrefix(err.Error(), "error converting YAML to JSON: "), "yaml: ")
	if strings.Contains(message, "found character that cannot start any token") && bytes.ContainsRune(data, '\t') {
		message += "; there are tabs in it, and YAML is indented with spaces"
	}
	if part > 1 {
		message = fmt.Sprintf("document %d, %s", part, message)
	}
	return name + " is not valid YAML: " + message
}

// appendDocuments adds an object, or those of a list. An empty document is none.
func appendDocuments(docs []document, name string, data []byte, lists int) ([]document, string) {
	if string(bytes.TrimSpace(data)) == "null" {
		return docs, ""
	}
	var head struct {
		metav1.TypeMeta
		Metadata struct {
			Namespace string `json:"namespace"`
			Name      string `json:"name"`
		} `json:"metadata"`
		Items []json.RawMessage `json:"items"`
	}
	if err := kjson.UnmarshalCaseSensitivePreserveInts(data, &head); err != nil {
		return nil, fmt.Sprintf("document %d of %s is no object of Kubernetes: %s", len(docs)+1, name, plainly(err))
	}
	if head.Kind == "" || head.APIVersion == "" {
		return nil, fmt.Sprintf("document %d of %s has no apiVersion and kind", len(docs)+1, name)
	}
	if list := strings.TrimSuffix(head.Kind, "List"); list != head.Kind && head.Items != nil {
		if lists == 0 {
			return nil, fmt.Sprintf("%s has lists in lists in lists", name)
		}
		for _, item := range head.Items {
			var found string
			item = asItem(item, head.APIVersion, list)
			if docs, found = appendDocuments(docs, name, item, lists-1); found != "" {
				return nil, found
			}
		}
		return docs, ""
	}
	whole, err := decodeJSON(data)
	if err != nil {
		return nil, fmt.Sprintf("document %d of %s is no object of Kubernetes: %s", len(docs)+1, name, plainly(err))
	}
	if huge := hugeQuantity(whole, false); huge != "" {
		return nil, fmt.Sprintf("document %d of %s has the quantity %s", len(docs)+1, name, huge)
	}
	if len(docs) == maxDocuments {
		return nil, fmt.Sprintf("%s has more than %d objects", name, maxDocuments)
	}
	return append(docs, document{name, head.TypeMeta, head.Metadata.Namespace, head.Metadata.Name, data}), ""
}

// asItem is an element of a list: of a NetworkPolicyList, say, elements need not say what
// they are.
func asItem(data []byte, apiVersion, kind string) []byte {
	var object map[string]json.RawMessage
	if kind == "" || json.Unmarshal(data, &object) != nil || object == nil || object["kind"] != nil || object["apiVersion"] != nil {
		return data
	}
	object["apiVersion"], _ = json.Marshal(apiVersion)
	object["kind"], _ = json.Marshal(kind)
	whole, err := json.Marshal(object)
	if err != nil {
		return data
	}
	return whole
}

// decodeAs reads a document into a type of Kubernetes' API as an API server does that
// validates strictly: a field that is unknown or given twice is a fault. It says in
// found what is wrong.
func decodeAs[T any](d document) (object *T, found string) {
	object = new(T)
	faults, err := kjson.UnmarshalStrict(d.json, object)
	if err == nil && len(faults) > 0 {
		err = faults[0]
	}
	if err != nil {
		return nil, fmt.Sprintf("%s in %s: %s", d, d.file, plainly(err))
	}
	return object, ""
}

// plainly says in words of YAML what Go's decoder says in those of Go: a value is of
// another type than the field.
func plainly(err error) string {
	var wrong *json.UnmarshalTypeError
	if errors.Is(err, resource.ErrFormatWrong) || errors.Is(err, resource.ErrSuffix) || errors.Is(err, resource.ErrNumeric) {
		return "an amount is none of Kubernetes', such as 250m, 2, 64Mi or 1Gi"
	}
	if !errors.As(err, &wrong) {
		return strings.TrimPrefix(err.Error(), "json: ")
	}
	stands, belongs := wrong.Value, "a mapping"
	switch kind, _, _ := strings.Cut(wrong.Value, " "); kind {
	case "string":
		stands = "a text"
	case "bool":
		stands = "true or false"
	case "array":
		stands = "a list"
	case "object":
		stands = "a mapping"
	case "number":
		stands = "a number"
	}
	switch wrong.Type.Kind() {
	case reflect.String:
		belongs = "a text"
	case reflect.Bool:
		belongs = "true or false"
	case reflect.Slice, reflect.Array:
		belongs = "a list"
	case reflect.Int, reflect.Int32, reflect.Int64, reflect.Uint, reflect.Uint32, reflect.Uint64, reflect.Float64:
		belongs = "a number"
	}
	text := fmt.Sprintf("there is %s where %s belongs", stands, belongs)
	if wrong.Field != "" {
		text = fmt.Sprintf("%s: there is %s where %s belongs", wrong.Field, stands, belongs)
	}
	switch {
	case belongs == "a text" && (stands == "a number" || stands == "true or false"):
		text += ": put it in quotes"
	case stands == "a text" && (belongs == "a number" || belongs == "true or false"):
		text += ", and what has quotes around it is a text"
	}
	return text
}
