package lab

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
)

// quantity reads a number or a quantity of Kubernetes' API.
func quantity(v any) (resource.Quantity, bool) {
	text, ok := v.(string)
	if !ok {
		if _, ok = number(v); !ok {
			return resource.Quantity{}, false
		}
		text = fmt.Sprint(v)
	}
	if isHuge(text) {
		return resource.Quantity{}, false
	}
	q, err := resource.ParseQuantity(text)
	return q, err == nil
}

// isHuge says whether a text would be a quantity that it takes minutes to parse:
// resource.ParseQuantity writes 1e99999999 out, digit by digit.
func isHuge(text string) bool {
	at := strings.LastIndexAny(text, "eE")
	if at < 0 {
		return false
	}
	exponent := strings.TrimLeft(text[at+1:], "+-")
	return len(exponent) > 3 && strings.Trim(text[:at], "+-.0123456789") == "" && strings.Trim(exponent, "0123456789") == ""
}

// hugeQuantity returns a quantity in an object that would take minutes to parse,
// empty if there is none. Only where quantities are it looks: elsewhere such a text
// may be a short hash.
func hugeQuantity(v any, isQuantity bool) string {
	switch v := v.(type) {
	case string:
		if isQuantity && isHuge(v) {
			return v
		}
	case []any:
		for _, element := range v {
			if huge := hugeQuantity(element, isQuantity); huge != "" {
				return huge
			}
		}
	case map[string]any:
		for name, field := range v {
			if huge := hugeQuantity(field, isQuantity || slices.Contains(quantities(), name)); huge != "" {
				return huge
			}
		}
	}
	return ""
}

// quantities are the fields of k8s.io/api that are quantities or hold some.
func quantities() []string {
	return []string{
		"allocatable", "allocatedResources", "capacity", "default", "defaultRequest", "divisor", "hard", "limits", "max", "maxLimitRequestRatio",
		"min", "overhead", "perContainer", "perPod", "podFixed", "quantity", "requests", "sizeLimit", "storage", "used",
	}
}
