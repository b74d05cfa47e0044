package lab

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kjson "sigs.k8s.io/json"

	"github.com/pkictl/pkictl/lab/opa"
)

// The APIs of Gatekeeper.
const (
	templateGroup    = "templates.gatekeeper.sh"
	constraintGroup  = "constraints.gatekeeper.sh"
	gatekeeperTarget = "admission.k8s.gatekeeper.sh"
	regoEngine       = "Rego"
)

// constraintTemplate is one of Gatekeeper's
// (github.com/open-policy-agent/frameworks, constraint/pkg/apis/templates/v1).
type constraintTemplate struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		CRD struct {
			Spec struct {
				Names struct {
					Kind       string   `json:"kind"`
					ShortNames []string `json:"shortNames"`
				} `json:"names"`
				Validation *struct {
					OpenAPIV3Schema any   `json:"openAPIV3Schema"`
					LegacySchema    *bool `json:"legacySchema"`
				} `json:"validation"`
			} `json:"spec"`
		} `json:"crd"`
		Targets []templateTarget `json:"targets"`
	} `json:"spec"`
	Status map[string]any `json:"status"`

	schema *parameterSchema // nil where anything will do
}

type templateTarget struct {
	Target string   `json:"target"`
	Rego   string   `json:"rego"`
	Libs   []string `json:"libs"`
	Code   []struct {
		Engine string         `json:"engine"`
		Source map[string]any `json:"source"`
	} `json:"code"`
	Operations []string `json:"operations"`
}

// templateRego is what a template has opa evaluate.
type templateRego struct {
	where   string // in the template
	policy  string
	libs    []string
	version opa.Version
}

// rego returns a template's policy, or says in found why there is none. Rego is of
// version 0 unless the source says v1.
func (t *constraintTemplate) rego() (r templateRego, found string) {
	if len(t.Spec.Targets) != 1 || t.Spec.Targets[0].Target != gatekeeperTarget {
		return r, "spec.targets is not one with target " + gatekeeperTarget
	}
	target := t.Spec.Targets[0]
	r = templateRego{"spec.targets[0].rego", target.Rego, target.Libs, opa.V0}
	for i, code := range target.Code { // counts where both are given
		if code.Engine != regoEngine {
			continue
		}
		r = templateRego{where: fmt.Sprintf("spec.targets[0].code[%d].source.rego", i), version: opa.V0}
		r.policy, _ = code.Source["rego"].(string)
		if code.Source["version"] == "v1" {
			r.version = opa.V1
		}
		libs, _ := code.Source["libs"].([]any)
		for _, lib := range libs {
			text, _ := lib.(string)
			r.libs = append(r.libs, text)
		}
		break
	}
	if strings.TrimSpace(r.policy) == "" {
		return r, r.where + " is empty"
	}
	return r, ""
}

// fault reads the schema, and says why Gatekeeper would refuse a template.
func (t *constraintTemplate) fault() string {
	kind := t.Spec.CRD.Spec.Names.Kind
	switch {
	case t.APIVersion != templateGroup+"/v1":
		return "apiVersion is " + t.APIVersion
	case kind == "":
		return "spec.crd.spec.names.kind is empty"
	case t.Name != strings.ToLower(kind):
		return fmt.Sprintf("metadata.name is %q, and Gatekeeper wants the kind %s in small letters", t.Name, kind)
	case t.Namespace != "":
		return "metadata.namespace is given, and templates are in none"
	}
	if t.Spec.CRD.Spec.Validation == nil || t.Spec.CRD.Spec.Validation.OpenAPIV3Schema == nil {
		return ""
	}
	schema, found := readSchema(t.Spec.CRD.Spec.Validation.OpenAPIV3Schema, "openAPIV3Schema", 0)
	if t.schema = schema; found == "" && schema.Type != "object" {
		found = "openAPIV3Schema is of type " + schema.Type + ", and parameters are an object"
	}
	return found
}

// parameterSchema is the part of a structural schema that parameters need.
type parameterSchema struct {
	Type        string                      `json:"type"`
	Properties  map[string]*parameterSchema `json:"-"`
	Items       *parameterSchema            `json:"-"`
	Required    []string                    `json:"required"`
	Enum        []any                       `json:"enum"`
	Pattern     string                      `json:"pattern"`
	MinItems    *int                        `json:"minItems"`
	MaxItems    *int                        `json:"maxItems"`
	MinLength   *int                        `json:"minLength"`
	MaxLength   *int                        `json:"maxLength"`
	UniqueItems bool                        `json:"uniqueItems"`
	Nullable    bool                        `json:"nullable"`
	Default     any                         `json:"default"`
	Example     any                         `json:"example"`
	Format      string                      `json:"format"`
	Title       string                      `json:"title"`
	Description string                      `json:"description"`
	// Additional is true, false or a schema.
	Additional json.RawMessage `json:"additionalProperties"`
	IntOrText  bool            `json:"x-kubernetes-int-or-string"`
	Unknown    bool            `json:"x-kubernetes-preserve-unknown-fields"`
	ListType   string          `json:"x-kubernetes-list-type"`
}

// maxSchemaDepth is more than any template needs.
const maxSchemaDepth = 20

func schemaTypes() []string {
	return []string{"object", "array", "string", "boolean", "integer", "number"}
}

// readSchema reads a schema, and says in found why it is not structural: version v1
// of templates wants a type at each level. References are not among its fields, as in
// any definition of custom resources.
func readSchema(value any, path string, depth int) (s *parameterSchema, found string) {
	fields, ok := value.(map[string]any)
	switch {
	case !ok:
		return nil, fmt.Sprintf("%s is of type %s, and has to be a schema with a type, such as {type: string}", path, typeName(value))
	case depth > maxSchemaDepth:
		return nil, path + " is too deep"
	}
	fields = maps.Clone(fields)
	properties, items := fields["properties"], fields["items"]
	delete(fields, "properties")
	delete(fields, "items")
	s = new(parameterSchema)
	data, err := json.Marshal(fields)
	if err == nil {
		var faults []error
		if faults, err = kjson.UnmarshalStrict(data, s); err == nil && len(faults) > 0 {
			err = faults[0]
		}
	}
	if err != nil {
		return nil, path + ": " + err.Error()
	}
	if found := s.fault(path, items != nil); found != "" {
		return nil, found
	}
	if items != nil {
		if s.Items, found = readSchema(items, path+".items", depth+1); found != "" {
			return nil, found
		}
	}
	return s, s.readProperties(properties, path+".properties", depth)
}

// readProperties reads the schemas of an object's fields.
func (s *parameterSchema) readProperties(value any, path string, depth int) (found string) {
	if value == nil {
		return ""
	}
	fields, ok := value.(map[string]any)
	if !ok {
		return path + " is of type " + typeName(value) + ", and has to be names with their schemas"
	}
	s.Properties = map[string]*parameterSchema{}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if s.Properties[name], found = readSchema(fields[name], path+"."+name, depth+1); found != "" {
			return found
		}
	}
	return ""
}

func (s *parameterSchema) fault(path string, items bool) string {
	switch {
	case s.Type == "" && !s.IntOrText && !s.Unknown:
		return path + " has no type, which templates of version v1 want at each level"
	case s.Type != "" && !slices.Contains(schemaTypes(), s.Type):
		return fmt.Sprintf("%s has the type %q, and there are %s", path, s.Type, strings.Join(schemaTypes(), ", "))
	case s.Type == "array" && !items:
		return path + " is an array without items"
	}
	if _, err := regexp.Compile(s.Pattern); err != nil {
		return path + ".pattern: " + err.Error()
	}
	return ""
}

// refuses says why a value does not fit a schema. Without one everything fits.
func (s *parameterSchema) refuses(value any, path string, depth int) string {
	if s == nil || depth > maxSchemaDepth || value == nil && s.Nullable {
		return ""
	}
	if s.Type != "" && typeName(value) != s.Type && (s.Type != "number" || typeName(value) != "integer") {
		return fmt.Sprintf("%s is of type %s, and the template wants %s", path, typeName(value), s.Type)
	}
	if s.Enum != nil && !slices.ContainsFunc(s.Enum, func(one any) bool { return fmt.Sprint(one) == fmt.Sprint(value) }) {
		return fmt.Sprintf("%s is %v, and the template wants one of %v", path, value, s.Enum)
	}
	switch value := value.(type) {
	case string:
		return s.refusesText(value, path)
	case []any:
		return s.refusesList(value, path, depth)
	case map[string]any:
		return s.refusesObject(value, path, depth)
	}
	return ""
}

func (s *parameterSchema) refusesText(value, path string) string {
	matches, err := regexp.MatchString(s.Pattern, value)
	switch n := len([]rune(value)); {
	case s.Pattern != "" && (err != nil || !matches):
		return fmt.Sprintf("%s is %q, and the template wants %s", path, value, s.Pattern)
	case s.MinLength != nil && n < *s.MinLength, s.MaxLength != nil && n > *s.MaxLength:
		return fmt.Sprintf("%s has a length of %d", path, n)
	}
	return ""
}

func (s *parameterSchema) refusesList(list []any, path string, depth int) string {
	if n := len(list); s.MinItems != nil && n < *s.MinItems || s.MaxItems != nil && n > *s.MaxItems {
		return fmt.Sprintf("%s has %d elements", path, n)
	}
	for i, element := range list {
		if found := s.Items.refuses(element, fmt.Sprintf("%s[%d]", path, i), depth+1); found != "" {
			return found
		}
	}
	return ""
}

// refusesObject asks for the fields. Of those that a structural schema does not know
// an API server says nothing and leaves them out, so that the policy never sees them.
func (s *parameterSchema) refusesObject(object map[string]any, path string, depth int) string {
	for _, name := range s.Required {
		if _, ok := object[name]; !ok {
			return fmt.Sprintf("%s has no %s, which the template requires", path, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(object)) {
		value := object[name]
		property, known := s.Properties[name]
		if !known && s.Additional == nil && !s.Unknown {
			return fmt.Sprintf("%s.%s is not in the template's schema: an API server drops it", path, name)
		}
		if found := property.refuses(value, path+"."+name, depth+1); found != "" {
			return found
		}
	}
	return ""
}

// typeName is the type of a value of JSON in words of a schema.
func typeName(value any) string {
	switch value := value.(type) {
	case map[string]any:
		return "object"
	case []any:
		return "array"
	case string:
		return "string"
	case bool:
		return "boolean"
	case float64:
		if value == float64(int64(value)) {
			return "integer"
		}
		return "number"
	case int64, int:
		return "integer"
	}
	return "null"
}
