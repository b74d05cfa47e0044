package ca

import (
	"slices"
	"strings"

	zx509 "github.com/zmap/zcrypto/x509"
	"github.com/zmap/zlint/v3/lint"

	"github.com/pkictl/pkictl/internal/failure"
)

// lintCRL runs zlint on a revocation list in DER form and returns an error that
// names every lint which ends in a warning or worse.
func lintCRL(der []byte) error {
	const hint = "correct what this speaks of in the inventory; nothing was published"
	list, err := zx509.ParseRevocationList(der)
	if err != nil {
		return failure.Wrap(err, failure.Failed, hint, "zlint cannot read the revocation list")
	}
	registry := lint.GlobalRegistry()
	var found []string
	for _, source := range lintSources {
		for _, l := range registry.RevocationListLints().BySource(source) {
			if result := l.Execute(list, registry.GetConfiguration()); result.Status >= lint.Warn {
				found = append(found, strings.TrimSpace(l.Name+" "+result.Details))
			}
		}
	}
	if found == nil {
		return nil
	}
	slices.Sort(found)
	return failure.New(failure.Failed, hint, "the revocation list would not pass zlint: %s", strings.Join(found, "; "))
}
