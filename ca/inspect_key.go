package ca

import (
	"crypto"
	"crypto/ecdh"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

// KeyInfo describes a key. Of a private key it holds the public part alone.
type KeyInfo struct {
	Kind      string `json:"kind,omitempty"` // as KeyName has it; empty if encrypted or in a token
	Exponent  int    `json:"exponent,omitempty"`
	Format    string `json:"format,omitempty"` // PKCS#8, PKCS#1, SEC 1, SPKI or PKCS#11 reference
	Encrypted bool   `json:"encrypted,omitempty"`
	// Encryption says how, as far as that is known.
	Encryption *KeyEncryption `json:"encryption,omitempty"`
	// Token is the URI (RFC 7512) of a key that is in a PKCS#11 token.
	Token string `json:"token,omitempty"`
	// SHA256 is the hash of the SubjectPublicKeyInfo, in the form in which
	// kubeadm takes and prints it as a discovery token CA cert hash.
	SHA256 string `json:"sha256,omitempty"`

	Public crypto.PublicKey `json:"-"` // nil where it is not known
}

// newKeyInfo describes a public key from its SubjectPublicKeyInfo.
func newKeyInfo(pub crypto.PublicKey, spki []byte) KeyInfo {
	sum := sha256.Sum256(spki)
	info := KeyInfo{Kind: KeyName(pub), SHA256: "sha256:" + hex.EncodeToString(sum[:]), Public: pub}
	switch pub := pub.(type) {
	case *rsa.PublicKey:
		info.Exponent = pub.E
	case *ecdh.PublicKey: // can only agree on keys, which no certificate here does
		info.Kind = strings.ToLower(fmt.Sprint(pub.Curve()))
	case nil:
		info.Kind = "unknown" + keyOID(spki)
	}
	return info
}

// keyOID names the algorithm of a key that Go does not know.
func keyOID(spki []byte) string {
	var info struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}
	if _, err := asn1.Unmarshal(spki, &info); err != nil {
		return ""
	}
	return " (" + info.Algorithm.Algorithm.String() + ")"
}

func decodePrivateKey(der []byte) (Item, error) {
	key, format, err := parsePrivateKey(der)
	if err != nil {
		return Item{}, err
	}
	private, ok := key.(interface{ Public() crypto.PublicKey })
	if !ok {
		return Item{}, errKey
	}
	spki, err := x509.MarshalPKIXPublicKey(private.Public())
	if err != nil {
		return Item{}, errKey
	}
	info := newKeyInfo(private.Public(), spki)
	info.Format = format
	return Item{Kind: ItemPrivateKey, Key: &info}, nil
}

// oidPKCS5 is where PBES2 and most older ciphers of keys are found (RFC 8018,
// appendix C).
const oidPKCS5 = "1.2.840.113549.1.5."

// oidPKCS12 has the rest of them (RFC 7292, appendix C).
const oidPKCS12 = "1.2.840.113549.1.12.1."

// decodeEncryptedKey says how a key is encrypted (RFC 5958, section 3), of
// schemes that are not read as much as is known of them.
func decodeEncryptedKey(der []byte) (Item, error) {
	key, err := readEncryptedPKCS8(der)
	if errors.Is(err, errKey) {
		return Item{}, err
	}
	scheme := key.info.Algorithm.Algorithm.String()
	if !strings.HasPrefix(scheme, oidPKCS5) && !strings.HasPrefix(scheme, oidPKCS12) {
		return Item{}, errKey
	}
	return Item{Kind: ItemPrivateKey, Key: &KeyInfo{Format: "PKCS#8", Encrypted: true, Encryption: &key.how}}, nil
}

// decodeOldEncryptedKey does the same for OpenSSL's older form.
func decodeOldEncryptedKey(block *pem.Block) (Item, error) {
	how, err := parseDEK(block)
	if errors.Is(err, errKey) {
		return Item{}, err
	}
	return Item{Kind: ItemPrivateKey, Key: &KeyInfo{Encrypted: true, Encryption: &how}}, nil
}

// decodeTokenKey shows a reference to a key in a PKCS#11 token.
func decodeTokenKey(der []byte) (Item, error) {
	uri, err := unmarshalReference(der)
	if err != nil {
		return Item{}, err
	}
	return Item{Kind: ItemPrivateKey, Key: &KeyInfo{Format: "PKCS#11 reference", Token: uri.String()}}, nil
}

func decodePublicKey(der []byte) (Item, error) {
	format := "SPKI"
	pub, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		key, pkcs1Err := x509.ParsePKCS1PublicKey(der)
		if pkcs1Err != nil {
			return Item{}, err
		}
		pub, format = key, "PKCS#1"
		if der, err = x509.MarshalPKIXPublicKey(key); err != nil {
			return Item{}, err
		}
	}
	if err := checkSize(pub); err != nil {
		return Item{}, err
	}
	info := newKeyInfo(pub, der)
	info.Format = format
	return Item{Kind: ItemPublicKey, Key: &info}, nil
}
