// Package opa has the program opa evaluate Rego that somebody else has written: a
// learner, or who wrote a lab. Rego is a language without side effects but for a few
// built-in functions, and these it is not given. The program runs in a directory
// that is removed after, without an environment and without the network, for a short
// time and with little memory.
package opa

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"time"
)

// MaxPolicy is more than any policy of a lab needs, in bytes.
const MaxPolicy = 256 << 10

// evalTime is for compiling and evaluating, runTime for all, so that on a busy
// machine the start of the program does not count.
const (
	evalTime = 2 * time.Second
	runTime  = 15 * time.Second
)

// capabilities are the built-in functions that a policy may call: those that
// compute something of what they are given. Sending and looking up in the network,
// reading the environment, and JSON schemas, which may refer to any file, are not
// among them, nor is what costs much for few letters, such as making keys.
//
//go:embed capabilities.json
var capabilities []byte

// Version is one of the two versions of Rego.
type Version int

// Versions of Rego. OPA 1.0 made V1 the default: rules have if and contains.
const (
	V1 Version = iota
	V0
)

func (v Version) String() string { return map[Version]string{V0: "Rego v0", V1: "Rego v1"}[v] }

// Request asks for the value of a rule.
type Request struct {
	Program string // path of opa, of version 1.0 or later
	Version Version
	Policy  []byte
	Libs    [][]byte // modules that the policy imports
	Rule    string   // its path, as in data.kubernetes.admission.deny
	Data    any      // the base documents below data; nil for none
	Inputs  []any    // for each of which it is evaluated
}

// In returns the request for a policy of another version.
func (r Request) In(v Version) Request {
	r.Version = v
	return r
}

// Error says why a policy has no value.
type Error struct {
	// Code is OPA's own, as in rego_parse_error; empty where OPA did not come so far.
	Code    string
	Message string
	Line    int // of the policy, 0 where it is not known
}

func (e *Error) Error() string {
	if e.Line == 0 {
		return e.Message
	}
	return fmt.Sprintf("line %d: %s", e.Line, e.Message)
}

// InText says whether the policy is wrong whatever its input.
func (e *Error) InText() bool {
	return e.Code == "rego_parse_error" || e.Code == "rego_compile_error" || e.Code == "rego_type_error" ||
		e.Code == "rego_unsafe_var_error" || e.Code == "rego_recursion_error"
}

// driver evaluates the rule for each input. It is Rego of either version.
const driver = `package pkictl_driver

import rego.v1

results[i] := value(one) if some i, one in input

value(one) := {"value": it} if it := %s with input as one

else := {}
`

const driverRule = "data.pkictl_driver.results"

// The files in the program's directory.
const (
	policyFile       = "policy.rego"
	driverFile       = "driver.rego"
	capabilitiesFile = "capabilities.json"
	dataFile         = "data.json"
)

// rulePath is what Rule has to look like: it becomes a part of the driver.
const rulePath = `^data(\.[A-Za-z_][A-Za-z0-9_]*)+$`

// IsRule says whether a text is the path of a rule.
func IsRule(text string) bool {
	ok, err := regexp.MatchString(rulePath, text)
	return err == nil && ok
}

// Evaluate returns the value of the rule for each input, nil where it has none. All
// are evaluated by one process. What is wrong with the policy is an *Error.
func Evaluate(ctx context.Context, r Request) ([]json.RawMessage, error) {
	if !IsRule(r.Rule) {
		return nil, &Error{Message: fmt.Sprintf("%q is no path of a rule", r.Rule)}
	}
	dir, err := os.MkdirTemp("", "pkictl-opa-") // of mode 0700
	if err != nil {
		return nil, &Error{Message: err.Error()}
	}
	defer func() { _ = os.RemoveAll(dir) }()
	args, err := r.write(dir)
	if err != nil {
		return nil, &Error{Message: err.Error()}
	}
	input, err := json.Marshal(r.Inputs)
	if err != nil {
		return nil, &Error{Message: err.Error()}
	}
	out, err := run(ctx, r.Program, dir, args, input)
	if err != nil {
		return nil, err
	}
	return answers(out, len(r.Inputs))
}

// write writes the files, and returns the arguments for opa.
func (r Request) write(dir string) (args []string, err error) {
	args = []string{
		"eval", "--format", "json", "--capabilities", capabilitiesFile, "--timeout", evalTime.String(), "--stdin-input",
		"--data", driverFile, "--data", policyFile,
	}
	if r.Version == V0 {
		args = append(args, "--v0-compatible")
	}
	files := map[string][]byte{
		capabilitiesFile: capabilities, driverFile: fmt.Appendf(nil, driver, r.Rule), policyFile: r.Policy,
	}
	for i, lib := range r.Libs {
		name := "lib" + strconv.Itoa(i) + ".rego"
		files[name], args = lib, append(args, "--data", name)
	}
	if r.Data != nil {
		if files[dataFile], err = json.Marshal(r.Data); err != nil {
			return nil, err
		}
		args = append(args, "--data", dataFile)
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			return nil, err
		}
	}
	return append(args, driverRule), nil
}

// output is what opa eval prints.
type output struct {
	Result []struct {
		Expressions []struct {
			Value map[string]struct {
				Value json.RawMessage `json:"value"`
			} `json:"value"`
		} `json:"expressions"`
	} `json:"result"`
	Errors []struct {
		Code     string `json:"code"`
		Message  string `json:"message"`
		Location struct {
			File string `json:"file"`
			Row  int    `json:"row"`
		} `json:"location"`
	} `json:"errors"`
}

// answers reads what opa printed.
func answers(data []byte, count int) ([]json.RawMessage, error) {
	var o output
	if err := json.Unmarshal(data, &o); err != nil {
		return nil, &Error{Message: "opa gave no answer that can be read: " + err.Error()}
	}
	if len(o.Errors) > 0 {
		first := o.Errors[0]
		e := &Error{Code: first.Code, Message: first.Code + ": " + first.Message}
		if first.Code == "eval_cancel_error" {
			e.Message = "it takes more than " + evalTime.String()
		}
		if first.Location.File == policyFile {
			e.Line = first.Location.Row
		}
		return nil, e
	}
	values := make([]json.RawMessage, count)
	for _, result := range o.Result {
		for _, expression := range result.Expressions {
			for i := range values {
				values[i] = expression.Value[strconv.Itoa(i)].Value
			}
		}
	}
	return values, nil
}
