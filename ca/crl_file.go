package ca

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"path/filepath"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
)

const crlFile = "ca.crl"

// CRLPath returns the path of the revocation list in a PKI directory.
func CRLPath(dir string) string { return filepath.Join(dir, crlFile) }

// CRL is a revocation list of version 2 (RFC 5280, 5), and what results call it.
type CRL struct {
	Name string
	List *x509.RevocationList
}

// ReadCRL reads a revocation list in PEM or DER form from a file.
func ReadCRL(path string) (*CRL, error) {
	data, err := store.Read(path, store.MaxCRL)
	if err != nil {
		return nil, err
	}
	return ParseCRL(data, path)
}

// ParseCRL reads the first revocation list in data, which is PEM or DER; the
// name is what errors call it.
func ParseCRL(data []byte, name string) (*CRL, error) {
	der := data
	if !bytes.HasPrefix(data, []byte{derSequence}) {
		if der = crlBlock(data); der == nil {
			return nil, failure.New(failure.Failed, "its PEM form begins with -----BEGIN X509 CRL-----; see what is in it with: pkictl inspect",
				"%q holds no revocation list", name)
		}
	}
	list, err := x509.ParseRevocationList(der)
	if err == nil {
		return &CRL{Name: name, List: list}, nil
	}
	if item, itemErr := decodeCRL(der); itemErr == nil && item.CRL.Version == 1 {
		return nil, failure.New(failure.Failed, `have it made in version 2; "openssl ca" does where its configuration has crlnumber`,
			"revocation list %q is of version 1, which has neither number nor reasons", name)
	}
	return nil, failure.Wrap(errors.New(plain(err)), failure.Failed, "copy the whole file again from where it came, and see what is in it with: pkictl inspect",
		"%q is no revocation list", name)
}

// crlBlock returns the first revocation list of a PEM file.
func crlBlock(data []byte) []byte {
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "X509 CRL" {
			return block.Bytes
		}
	}
	return nil
}

// encodeCRL returns a list as a file has it.
func encodeCRL(der []byte, asDER bool) []byte {
	if asDER {
		return der
	}
	return pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der})
}

// isOf says whether the list is an issuer's: its name, and signed by its key.
func (c *CRL) isOf(issuer *x509.Certificate) bool {
	return bytes.Equal(c.List.RawIssuer, issuer.RawSubject) && issuer.CheckSignature(
		c.List.SignatureAlgorithm, c.List.RawTBSRevocationList, c.List.Signature) == nil
}

// published returns the list that the CA has published in a file, nil if there
// is none. What is something else is an error: it would be lost.
func (c *CA) published(path string) (*CRL, error) {
	list, err := ReadCRL(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, failure.Wrap(err, failure.Failed, "move it away, or choose another file with --out",
			"%q is not replaced", path)
	case !list.isOf(c.Certificate):
		return nil, failure.New(failure.Failed, "move it away, or choose another file with --out",
			"%q is the revocation list of another CA, %s, and is not replaced", path, FormatName(list.List.RawIssuer))
	}
	return list, nil
}
