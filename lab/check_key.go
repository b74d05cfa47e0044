package lab

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/yamlfile"
)

// readKeyCheck reads the parameters of a check of a key:
//
//	file       the key's
//	public     true: it is a public key; otherwise it is a private one, and has no passphrase
//	algorithm  one of rsa, ecdsa, ed25519, or a list of those that are right
//	minBits    of an RSA key; one on an elliptic curve has 256 or more
//	key        the file of the private key that a public one belongs to
func readKeyCheck(p *params) (grader, error) {
	var file, private string
	public := false
	var conditions []condition[*ca.KeyInfo]
	err := p.fields(
		p.file("file", &file),
		yamlfile.Key{Name: "public", Read: func(n *yaml.Node) (err error) { public, err = p.Boolean(n, "public"); return err }},
		add(&conditions, "algorithm", p.algorithm),
		add(&conditions, "minBits", p.minBits),
		p.file("key", &private),
	)
	if err != nil {
		return nil, err
	}
	if private != "" {
		conditions = append(conditions, hasKey(private, publicKey))
	}
	kind, called := ca.ItemPrivateKey, "private key"
	if public {
		kind, called = ca.ItemPublicKey, "public key"
	}
	return func(_ context.Context, w *work) finding {
		wanted := "a " + called + " in " + file
		item, found := w.pem(file, kind, called)
		switch {
		case found != "":
			return finding{wanted: wanted, found: found}
		case item.Key.Encrypted:
			return finding{wanted: wanted + " without a passphrase", found: "a key with a passphrase"}
		case item.Key.Public == nil:
			return finding{wanted: wanted, found: "the key is elsewhere, in a token"}
		}
		return judge(item.Key, w, append([]condition[*ca.KeyInfo]{isThere[*ca.KeyInfo](wanted)}, conditions...))
	}, p.someOf(1, file)
}

// isThere is met by what has been found.
func isThere[T any](wanted string) condition[T] {
	return func(T, *work) (string, string, bool) { return wanted, "", true }
}

func publicKey(k *ca.KeyInfo) crypto.PublicKey { return k.Public }

// algorithms are the kinds of keys that a check may ask for, as ca.KeyName begins.
var algorithms = []string{"rsa", "ecdsa", "ed25519"}

func (p *params) algorithm(n *yaml.Node) (condition[*ca.KeyInfo], error) {
	want, err := p.textOrTexts(n, "algorithm")
	for _, name := range want {
		if err == nil && !slices.Contains(algorithms, name) {
			err = p.ErrorAt(n, failure.Suggest(name, algorithms), "there is no algorithm %q", name)
		}
	}
	return func(key *ca.KeyInfo, _ *work) (string, string, bool) {
		is, _, _ := strings.Cut(key.Kind, "-")
		return "of kind " + strings.Join(want, " or "), "a key of kind " + key.Kind, slices.Contains(want, is)
	}, err
}

func (p *params) minBits(n *yaml.Node) (condition[*ca.KeyInfo], error) {
	bits, err := p.Number(n, "minBits", 16384)
	return func(key *ca.KeyInfo, _ *work) (string, string, bool) {
		wanted := fmt.Sprintf("at least %d bits if it is RSA, 256 on a curve", bits)
		switch key := key.Public.(type) {
		case *rsa.PublicKey:
			return wanted, fmt.Sprintf("%d bits", key.N.BitLen()), key.N.BitLen() >= bits
		case *ecdsa.PublicKey: // TLS 1.3 knows no curve below P-256 (RFC 8446, 4.2.3)
			size := key.Curve.Params().BitSize
			return wanted, fmt.Sprintf("%d bits", size), size >= 256
		}
		return wanted, "", true
	}, err
}
