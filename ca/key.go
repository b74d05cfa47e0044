package ca

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
)

// KeyKind is an algorithm with its size.
type KeyKind string

// The kinds of keys that pkictl makes.
const (
	ECDSAP256 KeyKind = "ecdsa-p256"
	ECDSAP384 KeyKind = "ecdsa-p384"
	RSA2048   KeyKind = "rsa-2048"
	RSA3072   KeyKind = "rsa-3072"
	RSA4096   KeyKind = "rsa-4096"
	Ed25519   KeyKind = "ed25519"
)

// KeyKinds lists the kinds of keys, the default first.
func KeyKinds() []KeyKind {
	return []KeyKind{ECDSAP256, ECDSAP384, RSA2048, RSA3072, RSA4096, Ed25519}
}

// ParseKeyKind returns the kind with that name, the default for an empty one.
func ParseKeyKind(name string) (KeyKind, error) {
	if name == "" {
		return ECDSAP256, nil
	}
	if kind := KeyKind(name); slices.Contains(KeyKinds(), kind) {
		return kind, nil
	}
	return "", failure.New(failure.Usage, "choose one of "+strings.Join(KeyKindNames(), ", "), "unknown key kind %q", name)
}

// KeyKindNames lists their names.
func KeyKindNames() []string {
	names := make([]string, len(KeyKinds()))
	for i, kind := range KeyKinds() {
		names[i] = string(kind)
	}
	return names
}

// GenerateKey makes a key from the system's random source.
func GenerateKey(kind KeyKind) (crypto.Signer, error) {
	switch kind {
	case ECDSAP256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case ECDSAP384:
		return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case RSA2048:
		return rsa.GenerateKey(rand.Reader, 2048)
	case RSA3072:
		return rsa.GenerateKey(rand.Reader, 3072)
	case RSA4096:
		return rsa.GenerateKey(rand.Reader, 4096)
	case Ed25519:
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return key, err
	}
	return nil, fmt.Errorf("unknown key kind %q", kind)
}

// KeyName describes a public key: the name of its KeyKind where pkictl makes
// such keys, otherwise the algorithm and size, as in "rsa-1024".
func KeyName(pub crypto.PublicKey) string {
	switch pub := pub.(type) {
	case *ecdsa.PublicKey:
		return "ecdsa-" + strings.ToLower(strings.ReplaceAll(pub.Curve.Params().Name, "-", ""))
	case *rsa.PublicKey:
		return fmt.Sprintf("rsa-%d", pub.N.BitLen())
	case ed25519.PublicKey:
		return string(Ed25519)
	}
	return "unknown"
}

// throwawayKey makes a key of the same algorithm as pub, to sign what is not
// meant to be used. Only the algorithm stands in a certificate, so the smallest
// RSA key that Go makes will do, and costs a tenth of a real one.
func throwawayKey(pub crypto.PublicKey) (crypto.Signer, error) {
	switch pub := pub.(type) {
	case *ecdsa.PublicKey:
		return ecdsa.GenerateKey(pub.Curve, rand.Reader)
	case *rsa.PublicKey:
		return rsa.GenerateKey(rand.Reader, 1024) //nolint:gosec // G403: it signs nothing that leaves this process
	case ed25519.PublicKey:
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return key, err
	}
	return nil, fmt.Errorf("a CA cannot have a key of type %T", pub)
}

// MarshalKey encodes a private key as PKCS#8 PEM (RFC 5958), which OpenSSL,
// Go, cfssl and kubeadm all read for every kind of key. Of a key in a PKCS#11
// token it is the reference that OpenSSL's pkcs11-provider reads.
func MarshalKey(key crypto.Signer) ([]byte, error) {
	if inToken, ok := key.(*tokenKey); ok {
		return inToken.uri.marshalPEM()
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// ParseKey reads the first private key of a PEM file: PKCS#8, PKCS#1 or SEC 1,
// encrypted or not, or a reference to a key in a PKCS#11 token, whose session
// CloseKey ends. The name is what errors call the file; no error holds any of
// its contents. Passphrase is asked for that of an encrypted key and for the
// PIN of a token; without it such a key is an error.
func ParseKey(data []byte, name string, ask Passphrase) (crypto.Signer, error) {
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == labelReference {
			return parseTokenKey(block.Bytes, name, ask)
		}
		if !strings.HasSuffix(block.Type, "PRIVATE KEY") {
			continue
		}
		key, err := parseKeyBlock(block, name, ask)
		if err != nil {
			return nil, err
		}
		signer, ok := key.(crypto.Signer)
		if !ok { // like X25519 for agreeing and not for signing
			return nil, damagedKey(name)
		}
		return signer, nil
	}
	if len(splitPEM(data)) > 0 && bytes.Contains(data, []byte("PRIVATE KEY-----")) {
		return nil, failure.New(failure.Failed, "restore the file from a backup", "key %q is cut off or damaged", name)
	}
	return nil, failure.New(failure.Failed, "a key file begins with -----BEGIN PRIVATE KEY-----",
		"%q holds no private key in PEM form", name)
}

func parseKeyBlock(block *pem.Block, name string, ask Passphrase) (any, error) {
	if isEncrypted(block) {
		return decryptKey(block, name, ask)
	}
	key, _, err := parsePrivateKey(block.Bytes)
	if err != nil {
		return nil, damagedKey(name)
	}
	return key, nil
}

func damagedKey(name string) error {
	return failure.New(failure.Failed, "restore the file from a backup",
		"key %q is damaged or of an unknown kind", name)
}

// CloseKey ends the session of a key in a PKCS#11 token. Of any other key
// there is nothing to close.
func CloseKey(key crypto.Signer) {
	if inToken, ok := key.(*tokenKey); ok {
		inToken.close()
	}
}

// privateKeyFormats are tried in this order: the label of a PEM block is no
// proof of what is in it.
var privateKeyFormats = []struct {
	name  string
	parse func(der []byte) (any, error)
}{
	{"PKCS#8", x509.ParsePKCS8PrivateKey},
	{"SEC 1", func(der []byte) (any, error) { return x509.ParseECPrivateKey(der) }},
	{"PKCS#1", func(der []byte) (any, error) { return x509.ParsePKCS1PrivateKey(der) }},
}

// errKey says no more, so that nothing of a key gets into an error.
var errKey = errors.New("the private key is damaged or of an unknown kind")

// parsePrivateKey returns the key, and the name of the format it is in.
func parsePrivateKey(der []byte) (key any, format string, err error) {
	if len(der) > maxKeyDER {
		return nil, "", errKey
	}
	for _, f := range privateKeyFormats {
		if key, err := f.parse(der); err == nil {
			return key, f.name, nil
		}
	}
	return nil, "", errKey
}

// ReadKey reads a private key from a file, as ParseKey does.
func ReadKey(path string, ask Passphrase) (crypto.Signer, error) {
	data, err := store.Read(path, store.MaxPEM)
	if err != nil {
		return nil, err
	}
	return ParseKey(data, path, ask)
}

// EqualKeys says whether two public keys are the same.
func EqualKeys(a, b crypto.PublicKey) bool {
	comparable, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && comparable.Equal(b)
}
