package lab

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/pkictl/pkictl/internal/yamlfile"
)

// readManifestCheck reads the parameters of a check of an object in a file of
// manifests, YAML or JSON, as kubectl would apply it:
//
//	file        the file's
//	kind        the object's, such as Pod
//	apiVersion  the object's; without it any that an API server of today serves
//	name        the object's; without it all objects of the kind are meant, of which
//	            there must be one
//	namespace   the object's: default is the same as none; without it any
//	fields      conditions on its fields, see objectFields
//	without     kinds that no object in the file may be of
//
// Where Kubernetes' own types are known, a field that is misspelt or of another type
// is a fault, as is a version that is served no more.
func readManifestCheck(p *params) (grader, error) {
	var file string
	var want wantedObject
	var conditions []condition[object]
	var without []string
	err := p.fields(
		p.file("file", &file),
		p.text("kind", &want.kind),
		p.text("apiVersion", &want.apiVersion),
		p.text("name", &want.name),
		p.text("namespace", &want.namespace),
		p.objectFields(&conditions),
		yamlfile.Key{Name: "without", Read: func(n *yaml.Node) (err error) { without, err = p.textOrTexts(n, "without"); return err }},
	)
	if err != nil {
		return nil, err
	}
	if want.kind == "" {
		return nil, p.ErrorAt(p.node, "name it, as in kind: Pod", "%s has no field %q", p.what, "kind")
	}
	return func(_ context.Context, w *work) finding {
		docs, found := w.documents(file)
		if found != "" {
			return finding{wanted: want.String() + " in " + file, found: found}
		}
		if f := lacksKinds(docs, without, file); !f.passed {
			return f
		}
		return judgeDocuments(docs, want, w, conditions)
	}, p.someOf(1, file)
}

// text reads a text.
func (p *params) text(what string, to *string) yamlfile.Key {
	return yamlfile.Key{Name: what, Read: func(n *yaml.Node) (err error) { *to, err = p.Text(n, what); return err }}
}

// wantedObject names objects. An empty field does not matter.
type wantedObject struct{ apiVersion, kind, namespace, name string }

func (o wantedObject) String() string {
	text := o.kind
	if o.name != "" {
		text += " " + o.name
	}
	if o.namespace != "" {
		text += " in namespace " + o.namespace
	}
	if o.apiVersion != "" {
		text += " (" + o.apiVersion + ")"
	}
	return text
}

func (o wantedObject) names(d document) bool {
	return o.kind == d.Kind && (o.name == "" || o.name == d.Name) &&
		(o.namespace == "" || o.namespace == d.Namespace || o.namespace == "default" && d.Namespace == "")
}

// choose returns the documents that are meant, or says in found why there are none
// that can be graded.
func (o wantedObject) choose(docs []document) (chosen []document, found string) {
	var others []string
	for _, d := range docs {
		if o.names(d) {
			chosen = append(chosen, d)
		} else {
			others = append(others, d.String())
		}
	}
	switch {
	case len(chosen) == 0 && o.name != "" && slices.ContainsFunc(docs, func(d document) bool { return d.Kind == o.kind && d.Name == o.name && d.Namespace == "" }):
		return nil, fmt.Sprintf("%s %s in %s has no metadata.namespace, and would be in default", o.kind, o.name, docs[0].file)
	case len(chosen) == 0:
		return nil, fmt.Sprintf("%s has %s only", docs[0].file, strings.Join(others, ", "))
	case o.name != "" && len(chosen) > 1:
		return nil, fmt.Sprintf("%s has %d objects %s", docs[0].file, len(chosen), chosen[0])
	}
	for _, d := range chosen {
		if found := d.fault(); found != "" {
			return nil, found
		}
		if o.apiVersion != "" && o.apiVersion != d.APIVersion {
			return nil, fmt.Sprintf("%s in %s is of %s", d, d.file, d.APIVersion)
		}
	}
	return chosen, ""
}

// judgeDocuments asks the conditions of the documents that are meant: all must pass.
func judgeDocuments(docs []document, want wantedObject, w *work, conditions []condition[object]) finding {
	chosen, found := want.choose(docs)
	if found != "" {
		return finding{wanted: want.String(), found: found}
	}
	f := finding{passed: true, wanted: want.String(), found: "as wanted"}
	for _, d := range chosen {
		it, err := d.object()
		if err != nil {
			return finding{wanted: want.String(), found: fmt.Sprintf("%s in %s: %v", d, d.file, err)}
		}
		if f = judge(it, w, conditions); !f.passed {
			f.found = d.String() + ": " + f.found
			break
		}
	}
	f.wanted = strings.TrimSuffix(want.String()+": "+f.wanted, ": ")
	return f
}

// object decodes a document for conditions on its fields.
func (d document) object() (object, error) {
	v, err := decodeJSON(d.json)
	it, _ := v.(object)
	return it, err
}

// lacksKinds says whether none of the documents is of these kinds.
func lacksKinds(docs []document, kinds []string, file string) finding {
	for _, d := range docs {
		if slices.Contains(kinds, d.Kind) {
			found := d.gone()
			if found == "" {
				found = fmt.Sprintf("%s is in %s", d, file)
			}
			return finding{wanted: "no " + strings.Join(kinds, ", ") + " in " + file, found: found}
		}
	}
	return finding{passed: true}
}
