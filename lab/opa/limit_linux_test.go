package opa_test

import (
	"strings"
	"testing"

	"github.com/pkictl/pkictl/lab/opa"
)

// A text of 4 GiB, made of few letters.
func TestEvaluateMuchMemory(t *testing.T) {
	t.Parallel()
	policy := `package p

ten(s) := concat("", [s, s, s, s, s, s, s, s, s, s])

deny contains count(ten(ten(ten(ten(ten(ten(ten(ten("12345678901234567890123456789012345678901234567890"))))))))) if input.n
`
	values, err := opa.Evaluate(t.Context(), ask(t, opa.V1, policy))
	if err == nil || !strings.Contains(err.Error(), "opa ended without an answer") {
		t.Errorf("%q, %v", texts(values), err)
	}
}
