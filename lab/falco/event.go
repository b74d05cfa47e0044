package falco

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"path"
	"strconv"
	"strings"
)

// Event is a recorded one: its fields by name, with the argument in brackets where
// there is one (proc.aname[2]). A field that is not there had no value. Numbers may be
// texts, and a list of texts stands for a field that has several, as proc.aname.
type Event map[string]any

// CheckEvent says which of an event's fields there is not, or has a value of another
// type. Evaluation takes such a field for one without a value.
func CheckEvent(e Event) error {
	fields := knownFields()
	for name, data := range e {
		base, _, _ := strings.Cut(name, "[")
		f, ok := lookUp(fields, base)
		if !ok {
			return fmt.Errorf("there is no field %q", name)
		}
		if data != nil && len(valuesOf(data, f.kind)) == 0 {
			return fmt.Errorf("field %q cannot have the value %v", name, data)
		}
	}
	return nil
}

// ReadEvent reads an event from a JSON object, as output_fields of an alert have it.
func ReadEvent(data []byte) (Event, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber() // identifiers of processes are exact
	var e Event
	err := decoder.Decode(&e)
	return e, err
}

// value is one of a field, by its kind.
type value struct {
	kind    kind
	text    string
	number  int64
	address netip.Addr
	prefix  netip.Prefix // on the right side
}

// valuesOf returns the values of a field: none where there is none.
func valuesOf(data any, k kind) []value {
	switch data := data.(type) {
	case []any:
		var all []value
		for _, element := range data {
			if _, list := element.([]any); !list {
				all = append(all, valuesOf(element, k)...)
			}
		}
		return all
	case string:
		if v, err := parseValue(data, k); err == nil {
			return []value{v}
		}
	case json.Number:
		return valuesOf(data.String(), k)
	case float64:
		return valuesOf(strconv.FormatFloat(data, 'f', -1, 64), k)
	case int:
		return valuesOf(strconv.Itoa(data), k)
	case bool:
		return valuesOf(strconv.FormatBool(data), k)
	}
	return nil
}

// parseValue reads a value of a kind.
func parseValue(data string, k kind) (v value, err error) {
	v = value{kind: k, text: data}
	switch k {
	case number:
		if digits, ok := strings.CutPrefix(strings.ToLower(data), "0x"); ok {
			v.number, err = strconv.ParseInt(digits, 16, 64)
		} else {
			v.number, err = strconv.ParseInt(data, 10, 64)
		}
		if err != nil {
			return v, fmt.Errorf("%q is not a number", data)
		}
	case boolean:
		if data != "true" && data != "false" {
			return v, fmt.Errorf("%q is neither true nor false", data)
		}
	case address, network:
		if v.address, err = netip.ParseAddr(data); err == nil {
			v.prefix = netip.PrefixFrom(v.address, v.address.BitLen())
		} else if v.prefix, err = netip.ParsePrefix(data); err != nil || k == address {
			return v, fmt.Errorf("%q is no address", data)
		}
	}
	return v, nil
}

// of returns the values of an operand: those of its field, below its transformers.
func (o operand) of(e Event, f field) []value {
	name := o.name
	if o.argument != "" {
		name += "[" + o.argument + "]"
	}
	values := valuesOf(e[name], f.kind)
	for i := len(o.transformers) - 1; i >= 0; i-- {
		for j := range values {
			switch o.transformers[i] {
			case "tolower":
				values[j].text = strings.ToLower(values[j].text)
			case "toupper":
				values[j].text = strings.ToUpper(values[j].text)
			case "basename":
				values[j].text = path.Base(values[j].text)
			}
		}
	}
	return values
}
