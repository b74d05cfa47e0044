package lab

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	kjson "sigs.k8s.io/json"
	"sigs.k8s.io/yaml"
)

// maxManifest is more than any manifest of a lab needs, in bytes; maxDocuments is how
// many objects may be in one file.
const (
	maxManifest  = 256 << 10
	maxDocuments = 200
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
	return d.Kind + " " + name
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
	for {
		part, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return docs, ""
		}
		if err == nil {
			part, err = yaml.YAMLToJSONStrict(part)
		}
		if err != nil {
			return nil, notYAML(name, data, err)
		}
		if docs, found = appendDocuments(docs, name, part); found != "" {
			return nil, found
		}
	}
}

// notYAML says why a file cannot be read.
func notYAML(name string, data []byte, err error) string {
	if bytes.Contains(data, []byte("{{")) {
		return name + " is a template, not a manifest: there is {{ in it"
	}
	message := strings.TrimPrefix(strings.TrimPrefix(err.Error(), "error converting YAML to JSON: "), "yaml: ")
	return name + " is not valid YAML: " + message
}

// appendDocuments adds an object, or those of a list. An empty document is none.
func appendDocuments(docs []document, name string, data []byte) ([]document, string) {
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
		return nil, fmt.Sprintf("document %d of %s is no object of Kubernetes: %v", len(docs)+1, name, err)
	}
	if head.Kind == "" || head.APIVersion == "" {
		return nil, fmt.Sprintf("document %d of %s has no apiVersion and kind", len(docs)+1, name)
	}
	if head.Kind == "List" && head.APIVersion == "v1" {
		for _, item := range head.Items {
			var found string
			if docs, found = appendDocuments(docs, name, item); found != "" {
				return nil, found
			}
		}
		return docs, ""
	}
	whole, err := decodeJSON(data)
	if err != nil {
		return nil, fmt.Sprintf("document %d of %s is no object of Kubernetes: %v", len(docs)+1, name, err)
	}
	if huge := hugeQuantity(whole, false); huge != "" {
		return nil, fmt.Sprintf("document %d of %s has the quantity %s", len(docs)+1, name, huge)
	}
	if len(docs) == maxDocuments {
		return nil, fmt.Sprintf("%s has more than %d objects", name, maxDocuments)
	}
	return append(docs, document{name, head.TypeMeta, head.Metadata.Namespace, head.Metadata.Name, data}), ""
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
		return nil, fmt.Sprintf("%s in %s: %v", d, d.file, err)
	}
	return object, ""
}
