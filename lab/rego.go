package lab

import (
	"context"
	"encoding/json"
	"errors"
	"regexp"

	"github.com/pkictl/pkictl/lab/opa"
)

// regoPart is what one of several checks asks a policy.
type regoPart struct {
	check  any // which one
	inputs []any
}

// regoAnswer is what a policy said to all of them, or what is wrong with it.
type regoAnswer struct {
	values map[any][]json.RawMessage // by check
	err    error
}

// askTogether has opa evaluate a policy for all checks that ask the same rule of it,
// by one process, and returns the values for one of them. The policy is tried in
// each of the versions; what is wrong with it in the first is the error. If it ends
// at an input, only the check is to fail that has asked about it.
func (w *work) askTogether(ctx context.Context, key string, r opa.Request, versions []opa.Version, parts []regoPart, check any) ([]json.RawMessage, error) {
	answer, known := w.learner.rego[key]
	if !known {
		answer = ask(ctx, r, versions, parts)
		w.learner.rego[key] = answer
	}
	var bad *opa.Error
	if errors.As(answer.err, &bad) && !bad.InText() && len(parts) > 1 {
		for _, part := range parts {
			if part.check == check {
				answer = ask(ctx, r, versions, []regoPart{part})
			}
		}
	}
	return answer.values[check], answer.err
}

func ask(ctx context.Context, r opa.Request, versions []opa.Version, parts []regoPart) regoAnswer {
	r.Inputs = nil
	for _, part := range parts {
		r.Inputs = append(r.Inputs, part.inputs...)
	}
	values, err := opa.Evaluate(ctx, r.In(versions[0]))
	var bad *opa.Error
	if len(versions) > 1 && errors.As(err, &bad) && bad.InText() {
		other, otherErr := opa.Evaluate(ctx, r.In(versions[1]))
		if !errors.As(otherErr, &bad) || !bad.InText() {
			values, err = other, otherErr
		}
	}
	answer := regoAnswer{map[any][]json.RawMessage{}, err}
	for _, part := range parts {
		if err == nil {
			answer.values[part.check], values = values[:len(part.inputs)], values[len(part.inputs):]
		}
	}
	return answer
}

// regoVersions are both versions of Rego, that first in which a policy seems to be
// written: in v1 rules have if. Where it is wrong in both, the errors of the first
// say more.
func regoVersions(policy []byte) []opa.Version {
	if ok, err := regexp.Match(`(?m)^[^#]*\bif\b`, policy); err == nil && !ok {
		return []opa.Version{opa.V0, opa.V1}
	}
	return []opa.Version{opa.V1, opa.V0}
}
