package ca

import (
	"crypto"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"slices"

	"github.com/pkictl/pkictl/internal/failure"
)

// labelReference and referenceDescription mark a file that says where a key is:
// the form that OpenSSL's pkcs11-provider reads in place of a key.
const (
	labelReference       = "PKCS#11 PROVIDER URI"
	referenceDescription = "PKCS#11 Provider URI v1.0"
)

// tagVisibleString is the ASN.1 type of the description, which encoding/asn1
// does not know.
const tagVisibleString = 26

// tokenReference is what is in such a file.
type tokenReference struct {
	Description asn1.RawValue // VisibleString
	URI         string        `asn1:"utf8"`
}

// marshalPEM writes the reference.
func (u tokenURI) marshalPEM() ([]byte, error) {
	der, err := asn1.Marshal(tokenReference{
		Description: asn1.RawValue{Tag: tagVisibleString, Bytes: []byte(referenceDescription)},
		URI:         u.String(),
	})
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: labelReference, Bytes: der}), nil
}

func unmarshalReference(der []byte) (tokenURI, error) {
	var reference tokenReference
	rest, err := asn1.Unmarshal(der, &reference)
	if err != nil || len(rest) > 0 || reference.Description.Tag != tagVisibleString ||
		string(reference.Description.Bytes) != referenceDescription {
		return tokenURI{}, fmt.Errorf("the reference to a PKCS#11 token is damaged")
	}
	return readTokenURI(reference.URI)
}

// tokenKey is a key in a PKCS#11 token. It signs in a session, which close ends.
type tokenKey struct {
	crypto.Signer
	uri   tokenURI
	close func()
}

// tokenSession is a session with a token, its user logged in. Only a program
// built with the tag pkcs11 has one: see openToken.
type tokenSession interface {
	// find returns the keys with that label and id.
	find(uri tokenURI) ([]crypto.Signer, error)
	// generate makes a key with that label and id. It cannot be read from the
	// token.
	generate(uri tokenURI, kind KeyKind) (crypto.Signer, error)
	close()
}

// parseTokenKey opens the token that a reference names, and finds the key.
func parseTokenKey(der []byte, name string, ask Passphrase) (crypto.Signer, error) {
	uri, err := unmarshalReference(der)
	if err != nil {
		return nil, failure.Wrap(err, failure.Failed, "restore the file from a backup", "key %q cannot be read", name)
	}
	session, err := openToken(uri, ask)
	if err != nil {
		return nil, err
	}
	key, err := findTokenKey(session, uri)
	if err == nil && key == nil {
		err = failure.New(failure.Failed, "see what it holds with: pkcs11-tool --module MODULE --login --list-objects",
			"PKCS#11 token %q has no key %q with its public key", uri.tokenName(), uri.keyName())
	}
	if err != nil {
		session.close()
		return nil, err
	}
	return key, nil
}

// findTokenKey returns the key that the URI names, nil if there is none.
func findTokenKey(session tokenSession, uri tokenURI) (*tokenKey, error) {
	keys, err := session.find(uri)
	switch {
	case err != nil:
		return nil, err
	case len(keys) == 0:
		return nil, nil
	case len(keys) > 1:
		return nil, failure.New(failure.Failed, "name one by its id, as in pkcs11:token=pki;id=%01;object=ca",
			"PKCS#11 token %q has %d keys %q", uri.tokenName(), len(keys), uri.keyName())
	}
	return &tokenKey{Signer: keys[0], uri: uri, close: session.close}, nil
}

// tokenKeyKinds are the kinds of keys that crypto11 makes and signs with.
func tokenKeyKinds() []KeyKind {
	return slices.DeleteFunc(KeyKinds(), func(kind KeyKind) bool { return kind == Ed25519 })
}

// newTokenKey finds the key that the URI names, or makes one of that kind. An
// empty kind takes any that is found. With dryRun the token stays as it is, and
// a key that is not in it stands for the one that would be.
func newTokenKey(text string, kind KeyKind, ask Passphrase, dryRun bool) (crypto.Signer, error) {
	uri, err := parseTokenURI(text)
	if err != nil {
		return nil, err
	}
	if kind == Ed25519 {
		return nil, failure.New(failure.Usage, "choose an ECDSA or RSA key with --key", "an Ed25519 key cannot be used in a PKCS#11 token")
	}
	session, err := openToken(uri, ask)
	if err != nil {
		return nil, err
	}
	key, err := findTokenKey(session, uri)
	switch {
	case err == nil && key != nil:
		err = checkTokenKey(key, kind)
	case err == nil && dryRun:
		session.close()
		return GenerateKey(orDefault(kind))
	case err == nil:
		key = &tokenKey{uri: uri, close: session.close}
		key.Signer, err = session.generate(uri, orDefault(kind))
	}
	if err != nil {
		session.close()
		return nil, err
	}
	return key, nil
}

func orDefault(kind KeyKind) KeyKind {
	if kind == "" {
		return KeyKinds()[0]
	}
	return kind
}

func checkTokenKey(key *tokenKey, kind KeyKind) error {
	switch found := KeyKind(KeyName(key.Public())); {
	case kind != "" && found != kind:
		return failure.New(failure.Failed, "leave --key out to use it, or name another object to make a new key",
			"key %q of PKCS#11 token %q is %s, not %s", key.uri.keyName(), key.uri.tokenName(), found, kind)
	case !slices.Contains(tokenKeyKinds(), found):
		return failure.New(failure.Failed, "name another object, to make a new key",
			"key %q of PKCS#11 token %q is %s, which no CA should have", key.uri.keyName(), key.uri.tokenName(), found)
	}
	return nil
}
