package ca

import (
	"encoding/asn1"
	"fmt"
	"strings"

	"github.com/pkictl/pkictl/internal/failure"
)

// crlReasons are the values of CRLReason (RFC 5280, 5.3.1).
var crlReasons = map[asn1.Enumerated]string{
	0: "unspecified", 1: reasonKeyCompromise, 2: reasonCACompromise, 3: "affiliationChanged", 4: "superseded",
	5: "cessationOfOperation", 6: "certificateHold", 8: "removeFromCRL", 9: "privilegeWithdrawn", 10: "aACompromise",
}

const (
	reasonKeyCompromise = "keyCompromise"
	reasonCACompromise  = "cACompromise"
)

// reasonName names a reason as RFC 5280 does.
func reasonName(code int) string {
	if name := crlReasons[asn1.Enumerated(code)]; name != "" {
		return name
	}
	return fmt.Sprintf("reason %d", code)
}

// revocationReasons are those that Revoke takes. A hold would have to be taken
// back, removeFromCRL does that in lists that tell differences, and
// aACompromise is for attribute authorities.
var revocationReasons = []asn1.Enumerated{0, 1, 2, 3, 4, 5, 9}

// RevocationReasons lists the reasons that Revoke takes, as RFC 5280 names them.
func RevocationReasons() []string {
	names := make([]string, len(revocationReasons))
	for i, code := range revocationReasons {
		names[i] = crlReasons[code]
	}
	return names
}

// ReasonMeaning says in words when a reason is the right one.
func ReasonMeaning(name string) string {
	switch name {
	case reasonKeyCompromise:
		return "Somebody else has the key, or may have it."
	case reasonCACompromise:
		return "Of a CA: somebody else has its key."
	case "affiliationChanged":
		return "The names in it are no longer right: another team, another company."
	case "superseded":
		return "There is a newer one in its place."
	case "cessationOfOperation":
		return "What it was for is no more."
	case "privilegeWithdrawn":
		return "Its holder may no longer do what it allows."
	}
	return "No reason is given."
}

// parseReason reads the name of a reason, also in the form key-compromise, and
// returns its code. Without a name it is unspecified.
func parseReason(name string) (int, error) {
	if name == "" {
		return 0, nil
	}
	for _, code := range revocationReasons {
		if strings.EqualFold(strings.ReplaceAll(name, "-", ""), crlReasons[code]) {
			return int(code), nil
		}
	}
	hint := "choose one of " + strings.Join(RevocationReasons(), ", ")
	for _, known := range crlReasons {
		if strings.EqualFold(strings.ReplaceAll(name, "-", ""), known) {
			return 0, failure.New(failure.Usage, hint, "pkictl does not revoke for the reason %s: it is no final one, or not for certificates of keys", known)
		}
	}
	return 0, failure.New(failure.Usage, hint, "unknown reason %q", name)
}
