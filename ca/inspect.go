package ca

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
)

// ItemKind says what an Item is.
type ItemKind string

// The kinds of items.
const (
	ItemCertificate ItemKind = "Certificate"
	ItemRequest     ItemKind = "CertificateRequest"
	ItemPrivateKey  ItemKind = "PrivateKey"
	ItemPublicKey   ItemKind = "PublicKey"
	ItemCRL         ItemKind = "RevocationList"
	// ItemOther is a PEM block that says nothing about a PKI, such as the
	// EC PARAMETERS before a key.
	ItemOther ItemKind = "Other"
)

// Item is one object of a file, described in full. It never holds a private
// key, nor anything from which one could be had.
type Item struct {
	Kind  ItemKind `json:"kind"`
	Block int      `json:"block,omitempty"` // number of the PEM block, from 1
	Label string   `json:"label,omitempty"` // of the PEM block

	Certificate *CertificateInfo `json:"certificate,omitempty"`
	Request     *RequestInfo     `json:"request,omitempty"`
	Key         *KeyInfo         `json:"key,omitempty"` // private or public
	CRL         *CRLInfo         `json:"crl,omitempty"`
}

// Certificates returns the certificates among items, in their order.
func Certificates(items []Item) []*x509.Certificate {
	var certs []*x509.Certificate
	for _, item := range items {
		if item.Certificate != nil {
			certs = append(certs, item.Certificate.X509)
		}
	}
	return certs
}

// PrivateKey returns the first private key among items, nil if there is none.
func PrivateKey(items []Item) *KeyInfo {
	for _, item := range items {
		if item.Kind == ItemPrivateKey {
			return item.Key
		}
	}
	return nil
}

// maxRSA is the largest RSA key in bits that is looked at, as in OpenSSL. A
// signature by a larger one would take minutes to check.
const maxRSA = 16384

// maxKeyDER is more than any private key needs; one of RSA with maxRSA bits
// has 9 KiB.
const maxKeyDER = 16 << 10

// IsEncoded says whether data is in a form that Decode reads: PEM, or one
// DER value.
func IsEncoded(data []byte) bool {
	return len(splitPEM(data)) > 0 || bytes.HasPrefix(data, []byte{derSequence})
}

// derSequence is the tag that certificates, keys and all else here begin with.
const derSequence = 0x30

// Decode reads the certificates, requests, keys and revocation lists in data,
// which is PEM with any number of blocks, or DER. The name is what errors call
// the data; they hold nothing of a private key.
func Decode(data []byte, name string) ([]Item, error) {
	limit := store.MaxPEM
	if bytes.HasPrefix(data, []byte("-----BEGIN X509 CRL-----")) {
		limit = store.MaxCRL // nothing else of a PKI grows like a revocation list
	}
	if len(data) > limit {
		return nil, failure.New(failure.Failed, "check that it is the file you mean", "%q is larger than %d MiB", name, limit>>20)
	}
	segments := splitPEM(data)
	if len(segments) == 0 {
		return decodeDER(data, name)
	}
	items := make([]Item, 0, len(segments))
	for i, segment := range segments {
		block, _ := pem.Decode(segment)
		if block == nil {
			return nil, blockError(errors.New("no valid PEM"), i+1, "", name)
		}
		item, err := decodeBlock(block)
		if err != nil {
			return nil, blockError(err, i+1, block.Type, name)
		}
		item.Block, item.Label = i+1, block.Type
		items = append(items, item)
	}
	return items, nil
}

func blockError(err error, number int, label, name string) error {
	if label != "" {
		label = " (" + label + ")"
	}
	return failure.Wrap(errors.New(plain(err)), failure.Failed, "copy the whole file again from where it came",
		"block %d%s of %q cannot be read", number, label, name)
}

// splitPEM cuts data before each line that begins a PEM block. pem.Decode on
// the whole would pass over a damaged block in silence.
func splitPEM(data []byte) [][]byte {
	begin := []byte("-----BEGIN ")
	var segments [][]byte
	start := -1
	for offset := 0; offset < len(data); {
		if bytes.HasPrefix(data[offset:], begin) {
			if start >= 0 {
				segments = append(segments, data[start:offset])
			}
			start = offset
		}
		next := bytes.IndexByte(data[offset:], '\n')
		if next < 0 {
			break
		}
		offset += next + 1
	}
	if start >= 0 {
		segments = append(segments, data[start:])
	}
	return segments
}

func decodeBlock(block *pem.Block) (Item, error) {
	switch label := block.Type; {
	case label == "CERTIFICATE" || label == "X509 CERTIFICATE":
		return decodeCertificate(block.Bytes)
	case label == "CERTIFICATE REQUEST" || label == "NEW CERTIFICATE REQUEST":
		return decodeRequest(block.Bytes)
	case label == "X509 CRL":
		return decodeCRL(block.Bytes)
	case label == labelReference:
		return decodeTokenKey(block.Bytes)
	case label == labelEncryptedKey:
		return decodeEncryptedKey(block.Bytes)
	case isEncrypted(block):
		return decodeOldEncryptedKey(block)
	case label == "PRIVATE KEY" || label == "RSA PRIVATE KEY" || label == "EC PRIVATE KEY":
		return decodePrivateKey(block.Bytes)
	case strings.HasSuffix(label, "PUBLIC KEY"):
		return decodePublicKey(block.Bytes)
	}
	return Item{Kind: ItemOther}, nil
}

// decodeDER tries what the data may be. The forms differ within their first
// fields, so that none passes for another.
func decodeDER(data []byte, name string) ([]Item, error) {
	for _, decode := range []func([]byte) (Item, error){
		decodeCertificate, decodeRequest, decodeCRL, decodePrivateKey, decodePublicKey, decodeEncryptedKey,
	} {
		if item, err := decode(data); err == nil {
			return []Item{item}, nil
		}
	}
	return nil, failure.New(failure.Failed,
		"a PEM block begins with -----BEGIN; if it is DER, copy the whole file again from where it came",
		"%q is neither PEM nor a certificate, request, key or revocation list in DER form", name)
}

// checkSize refuses keys that would take minutes to use.
func checkSize(pub crypto.PublicKey) error {
	if key, ok := pub.(*rsa.PublicKey); ok && key.N.BitLen() > maxRSA {
		return fmt.Errorf("its RSA key of %d bits is larger than %d", key.N.BitLen(), maxRSA)
	}
	return nil
}
