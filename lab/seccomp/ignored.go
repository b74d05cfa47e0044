package seccomp

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// The fields that some runtime reads.
var (
	profileFields   = [...]string{"defaultAction", "defaultErrnoRet", "architectures", "archMap", "flags", "listenerPath", "listenerMetadata", "syscalls"}
	ruleFields      = [...]string{"names", "name", "action", "errnoRet", "args", "comment", "includes", "excludes"}
	argFields       = [...]string{"index", "value", "valueTwo", "op"}
	conditionFields = [...]string{"caps", "arches", "minKernel"}
)

// maxIgnored is how many fields are named.
const maxIgnored = 5

// ignored lists the fields that no runtime reads, with where they are.
func ignored(data []byte) []string {
	var list []string
	note := func(where string, object map[string]json.RawMessage, known []string) {
		for _, field := range slices.Sorted(maps.Keys(object)) {
			// encoding/json does not tell capital letters.
			if !slices.ContainsFunc(known, func(k string) bool { return strings.EqualFold(k, field) }) && len(list) < maxIgnored {
				list = append(list, where+field)
			}
		}
	}
	profile := object(data)
	note("", profile, profileFields[:])
	for i, data := range elements(field(profile, "syscalls")) {
		where, rule := fmt.Sprintf("syscalls[%d].", i), object(data)
		note(where, rule, ruleFields[:])
		for j, arg := range elements(field(rule, "args")) {
			note(fmt.Sprintf("%sargs[%d].", where, j), object(arg), argFields[:])
		}
		note(where+"includes.", object(field(rule, "includes")), conditionFields[:])
		note(where+"excludes.", object(field(rule, "excludes")), conditionFields[:])
	}
	return list
}

// Partly lists the fields that CRI-O and Docker read, and containerd does not.
func (p *Profile) Partly() (list []string) {
	if len(p.ArchMap) > 0 {
		list = append(list, "archMap (but architectures)")
	}
	for i, r := range p.Syscalls {
		for name, there := range map[string]bool{"name (but names)": r.Name != "", "includes": !r.Includes.empty(), "excludes": !r.Excludes.empty()} {
			if there {
				list = append(list, fmt.Sprintf("syscalls[%d].%s", i, name))
			}
		}
		if len(list) >= maxIgnored {
			break
		}
	}
	slices.Sort(list)
	return list
}

func (c Condition) empty() bool { return len(c.Caps)+len(c.Arches)+len(c.MinKernel) == 0 }

func object(data []byte) map[string]json.RawMessage {
	var fields map[string]json.RawMessage
	if json.Unmarshal(data, &fields) != nil {
		return nil
	}
	return fields
}

func elements(data []byte) []json.RawMessage {
	var list []json.RawMessage
	if json.Unmarshal(data, &list) != nil {
		return nil
	}
	return list
}

func field(object map[string]json.RawMessage, name string) json.RawMessage {
	for key, value := range object {
		if strings.EqualFold(key, name) {
			return value
		}
	}
	return nil
}
