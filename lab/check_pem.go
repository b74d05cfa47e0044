package lab

import (
	"crypto"
	"fmt"
	"strings"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/store"
)

// pem returns the first object of a kind in a learner's file, or says why there is
// none. It has to be PEM, as all that Kubernetes reads.
func (w *work) pem(name string, kind ca.ItemKind, called string) (item ca.Item, found string) {
	data, found := w.learner.file(name, store.MaxPEM)
	if found != "" {
		return ca.Item{}, found
	}
	items, err := w.learner.decode(name, data)
	if err != nil {
		return ca.Item{}, err.Error()
	}
	var others []string
	for _, item := range items {
		switch {
		case item.Kind != kind:
			others = append(others, words[item.Kind])
		case item.Block == 0:
			return ca.Item{}, name + " is DER, not PEM"
		default:
			return item, ""
		}
	}
	return ca.Item{}, fmt.Sprintf("%s has no %s, but %s", name, called, strings.Join(distinct(others), " and "))
}

// decoded is what a file holds: several checks look at one.
type decoded struct {
	items []ca.Item
	err   error
}

func (l *learner) decode(name string, data []byte) ([]ca.Item, error) {
	d, ok := l.decoded[name]
	if !ok {
		d.items, d.err = ca.Decode(data, name)
		l.decoded[name] = d
	}
	return d.items, d.err
}

// words name what a file may hold.
var words = map[ca.ItemKind]string{
	ca.ItemCertificate: "a certificate", ca.ItemRequest: "a certificate request", ca.ItemPrivateKey: "a private key",
	ca.ItemPublicKey: "a public key", ca.ItemCRL: "a revocation list", ca.ItemOther: "something else",
}

// distinct leaves each text once.
func distinct(list []string) []string {
	var once []string
	seen := map[string]bool{}
	for _, text := range list {
		if !seen[text] {
			seen[text] = true
			once = append(once, text)
		}
	}
	return once
}

// sameKey says whether two public keys are one. Neither may be nil.
func sameKey(a, b crypto.PublicKey) bool {
	comparable, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && b != nil && comparable.Equal(b)
}

// hasKey asks that something belongs to the private key in a learner's file.
func hasKey[T any](file string, public func(T) crypto.PublicKey) condition[T] {
	return func(it T, w *work) (wanted, found string, ok bool) {
		wanted = "made with the key in " + file
		item, found := w.pem(file, ca.ItemPrivateKey, "private key")
		switch {
		case found != "":
			return wanted, found, false
		case item.Key.Encrypted:
			return wanted, "the key in " + file + " has a passphrase", false
		case item.Key.Public == nil || !sameKey(item.Key.Public, public(it)):
			return wanted, "that of another key", false
		}
		return wanted, "", true
	}
}
