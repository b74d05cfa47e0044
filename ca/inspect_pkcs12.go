package ca

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"software.sslmate.com/src/go-pkcs12"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
)

const (
	// maxPKCS12Iterations is how often a file may have its password hashed. That
	// takes some tenths of a second; no program is known to write more than 600,000.
	maxPKCS12Iterations = 2_000_000
	// maxPKCS12Time bounds what maxPKCS12Iterations cannot: a count that is
	// itself encrypted.
	maxPKCS12Time = 5 * time.Second
	// maxPKCS12Depth is how deep values are nested that are looked into.
	maxPKCS12Depth = 24
)

const (
	pkcs12PasswordHint = "give its password with --passphrase-file FILE, or in PKICTL_EXPORT_PASSPHRASE"
	pkcs12ConvertHint  = "see what OpenSSL makes of it: openssl pkcs12 -in FILE -nokeys | pkictl inspect -"
	pkcs12DamagedHint  = "copy the whole file again from where it came"
)

// pkcs12Start follows the first tag and length of a PKCS#12 file: version 3 and
// the beginning of a ContentInfo (RFC 7292, section 4). No certificate, request,
// CRL or key begins so.
var pkcs12Start = []byte{asn1.TagInteger, 1, 3, derSequence}

// IsPKCS12 says whether data begins like a PKCS#12 file.
func IsPKCS12(data []byte) bool {
	if len(data) < 2 || data[0] != derSequence {
		return false
	}
	header := 2
	if data[1] > 0x80 {
		header += int(data[1] & 0x7f)
	}
	return len(data) > header && bytes.HasPrefix(data[header:], pkcs12Start)
}

// DecodePKCS12 reads the certificates and the private key in a PKCS#12 file
// (RFC 7292) in DER form, as Decode does other files. The certificate that the
// key belongs to comes first. The name is what errors call the file.
//
// The empty password is tried first, and then what ask returns; without ask, a
// file that has a password is an error. A file that would take long to decrypt
// is an error too.
func DecodePKCS12(data []byte, name string, ask Passphrase) ([]Item, error) {
	if len(data) > store.MaxPEM {
		return nil, failure.New(failure.Failed, "check that it is the file you mean", "%q is larger than 1 MiB", name)
	}
	if err := checkPKCS12(data, name); err != nil {
		return nil, err
	}
	content, err := openPKCS12(data, "")
	if errors.Is(err, pkcs12.ErrIncorrectPassword) || errors.Is(err, pkcs12.ErrDecryption) {
		if ask == nil {
			return nil, failure.New(failure.Failed, pkcs12PasswordHint, "%q is a PKCS#12 file that needs a password", name)
		}
		password, askErr := ask(fmt.Sprintf("PKCS#12 file %q", name))
		if askErr != nil {
			return nil, askErr
		}
		content, err = openPKCS12(data, string(password))
	}
	if err != nil {
		return nil, pkcs12Error(err, name)
	}
	return content.items(name)
}

// pkcs12Content is what stands in a file.
type pkcs12Content struct {
	key   crypto.PublicKey // nil in a trust store
	certs []*x509.Certificate
}

// errPKCS12Time is what remains of a file that takes too long.
var errPKCS12Time = errors.New("it takes too long to decrypt")

// openPKCS12 decrypts a file. One that takes too long goes on in the background
// until the process ends; the library cannot be stopped.
func openPKCS12(data []byte, password string) (pkcs12Content, error) {
	type result struct {
		content pkcs12Content
		err     error
	}
	done := make(chan result, 1)
	go func() {
		content, err := decryptPKCS12(data, password)
		done <- result{content, err}
	}()
	timer := time.NewTimer(maxPKCS12Time)
	defer timer.Stop()
	select {
	case r := <-done:
		return r.content, r.err
	case <-timer.C:
		return pkcs12Content{}, errPKCS12Time
	}
}

func decryptPKCS12(data []byte, password string) (pkcs12Content, error) {
	key, cert, others, err := pkcs12.DecodeChain(data, password)
	if err == nil {
		private, ok := key.(interface{ Public() crypto.PublicKey })
		if !ok {
			return pkcs12Content{}, errKey
		}
		return pkcs12Content{private.Public(), append([]*x509.Certificate{cert}, others...)}, nil
	}
	if errors.Is(err, pkcs12.ErrIncorrectPassword) {
		return pkcs12Content{}, err
	}
	// Java marks the certificates of a trust store, which has no key.
	if certs, trustErr := pkcs12.DecodeTrustStore(data, password); trustErr == nil && len(certs) > 0 {
		return pkcs12Content{certs: certs}, nil
	}
	return pkcs12Content{}, err
}

// items describes the content. Files of other programs have the key's own
// certificate anywhere among the others.
func (c pkcs12Content) items(name string) ([]Item, error) {
	own := slices.IndexFunc(c.certs, func(cert *x509.Certificate) bool { return c.key != nil && EqualKeys(c.key, cert.PublicKey) })
	if own > 0 {
		cert := c.certs[own]
		c.certs = slices.Insert(slices.Delete(c.certs, own, own+1), 0, cert)
	}
	var items []Item
	for _, cert := range c.certs {
		item, err := DescribeCertificate(cert)
		if err != nil {
			return nil, failure.Wrap(errors.New(plain(err)), failure.Failed, pkcs12DamagedHint, "a certificate in %q cannot be read", name)
		}
		items = append(items, item)
	}
	if c.key == nil {
		return items, nil
	}
	spki, err := x509.MarshalPKIXPublicKey(c.key)
	if err != nil {
		return nil, pkcs12Error(errKey, name)
	}
	info := newKeyInfo(c.key, spki)
	info.Format = "PKCS#12"
	return append(items, Item{Kind: ItemPrivateKey, Key: &info}), nil
}

// pkcs12Error says what the library cannot read. Of what was decrypted it says
// nothing: that may be a key.
func pkcs12Error(err error, name string) error {
	var unknown pkcs12.NotImplementedError
	switch {
	case errors.Is(err, pkcs12.ErrIncorrectPassword), errors.Is(err, pkcs12.ErrDecryption),
		strings.HasSuffix(err.Error(), "cannot be encoded in UCS-2"):
		return failure.New(failure.Failed, "check the password; a line feed at its end is not part of it",
			"the password is not that of the PKCS#12 file %q", name)
	case errors.Is(err, errPKCS12Time):
		return failure.New(failure.Failed, "do not trust where it came from", "the PKCS#12 file %q takes longer than %s to decrypt", name, maxPKCS12Time)
	case errors.As(err, &unknown):
		return failure.New(failure.Failed, pkcs12ConvertHint, "the PKCS#12 file %q cannot be read: %s", name, unknownPart(unknown))
	case strings.HasSuffix(err.Error(), "private key missing"):
		return failure.New(failure.Failed, pkcs12ConvertHint, "the PKCS#12 file %q holds no private key", name)
	case strings.HasSuffix(err.Error(), "certificate missing"):
		return failure.New(failure.Failed, pkcs12ConvertHint, "the PKCS#12 file %q holds no certificate", name)
	case strings.HasSuffix(err.Error(), "expected exactly one key bag"):
		return failure.New(failure.Failed, pkcs12ConvertHint, "the PKCS#12 file %q holds more than one private key", name)
	}
	return failure.New(failure.Failed, pkcs12ConvertHint, "the PKCS#12 file %q is damaged, or of an unusual kind", name)
}

func unknownPart(err pkcs12.NotImplementedError) string {
	return strings.TrimPrefix(err.Error(), "pkcs12: ")
}

// checkPKCS12 checks the outer form of a file and how often it has its password
// hashed, before anything is decrypted.
func checkPKCS12(data []byte, name string) error {
	err := checkIterations(data, 0)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errIterations):
		return failure.New(failure.Failed, "do not trust where it came from; if you do, OpenSSL reads it: openssl pkcs12 -in FILE",
			"the PKCS#12 file %q has its password hashed more than %d times", name, maxPKCS12Iterations)
	case strings.Contains(err.Error(), "indefinite length"): // BER, which Windows and NSS once wrote
		return failure.New(failure.Failed, pkcs12ConvertHint, "the PKCS#12 file %q is in BER with indefinite lengths, not DER", name)
	}
	return failure.New(failure.Failed, pkcs12DamagedHint, "the PKCS#12 file %q is truncated or damaged", name)
}

var errIterations = errors.New("too many iterations")

// checkIterations looks for a salt that is followed by a count, as PBKDF2 (RFC
// 8018, appendix A.2), the ciphers of PKCS#12 and its MAC (RFC 7292, section 4
// and appendix C) all have it, in whatever they stand.
func checkIterations(der []byte, depth int) error {
	salted := false
	for len(der) > 0 && depth < maxPKCS12Depth {
		var value asn1.RawValue
		rest, err := asn1.Unmarshal(der, &value)
		if err != nil {
			return err
		}
		if salted && isPrimitive(value, asn1.TagInteger) && tooLarge(value) {
			return errIterations
		}
		salted = isPrimitive(value, asn1.TagOctetString)
		switch {
		case value.IsCompound:
			if err := checkIterations(value.Bytes, depth+1); err != nil {
				return err
			}
		case salted && bytes.HasPrefix(value.Bytes, []byte{derSequence}):
			// What is no DER here is encrypted, or random.
			if err := checkIterations(value.Bytes, depth+1); errors.Is(err, errIterations) {
				return err
			}
		}
		der = rest
	}
	return nil
}

func isPrimitive(value asn1.RawValue, tag int) bool {
	return value.Class == asn1.ClassUniversal && value.Tag == tag && !value.IsCompound
}

func tooLarge(integer asn1.RawValue) bool {
	var n int64
	_, err := asn1.Unmarshal(integer.FullBytes, &n)
	return err != nil || n > maxPKCS12Iterations
}
