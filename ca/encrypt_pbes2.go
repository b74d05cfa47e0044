package ca

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"strings"
)

// Bounds of what a file may ask for. Ten million iterations take some seconds;
// OWASP asks for 600,000.
const (
	maxIterations = 10_000_000
	maxSalt       = 1024
)

// KeyEncryption says how a key is encrypted.
type KeyEncryption struct {
	Cipher     string `json:"cipher,omitempty"`     // as OpenSSL calls it, as in aes-256-cbc
	KDF        string `json:"kdf,omitempty"`        // what makes the cipher's key of the passphrase
	Iterations int64  `json:"iterations,omitempty"` // of the KDF
}

// String is for people.
func (e KeyEncryption) String() string {
	text := strings.Trim(e.Cipher+", "+e.KDF, ", ")
	if e.Iterations > 0 {
		text += fmt.Sprintf(", iterations: %d", e.Iterations)
	}
	return text
}

// encryptedKeyInfo is EncryptedPrivateKeyInfo (RFC 5958, section 3).
type encryptedKeyInfo struct {
	Algorithm pkix.AlgorithmIdentifier
	Data      []byte
}

// pbes2Params is PBES2-params (RFC 8018, appendix A.4).
type pbes2Params struct {
	KDF    pkix.AlgorithmIdentifier
	Cipher pkix.AlgorithmIdentifier
}

// pbkdf2Params is PBKDF2-params (RFC 8018, appendix A.2).
type pbkdf2Params struct {
	Salt       []byte
	Iterations int64
	KeyLength  int                      `asn1:"optional"`
	PRF        pkix.AlgorithmIdentifier `asn1:"optional"`
}

var (
	oidPBES2   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13}
	oidPBKDF2  = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 12}
	oidScrypt  = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11591, 4, 11}
	oidPRFSHA1 = asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 7}
)

// blockCipher is a cipher in CBC mode.
type blockCipher struct {
	name       string
	key, block int // lengths in octets
}

// pbes2Ciphers are the ciphers that are read (RFC 8018, appendix B.2; AES in
// NIST's arc).
var pbes2Ciphers = map[string]blockCipher{
	"1.3.14.3.2.7":            {"des-cbc", 8, 8},
	"1.2.840.113549.3.7":      {"des-ede3-cbc", 24, 8},
	"2.16.840.1.101.3.4.1.2":  {"aes-128-cbc", 16, 16},
	"2.16.840.1.101.3.4.1.22": {"aes-192-cbc", 24, 16},
	"2.16.840.1.101.3.4.1.42": {"aes-256-cbc", 32, 16},
}

// pbkdf2PRFs are the pseudorandom functions that have a name here; the first
// two are read.
var pbkdf2PRFs = map[string]string{
	oidPRFSHA1.String(): "hmac-sha1", "1.2.840.113549.2.9": "hmac-sha256",
	"1.2.840.113549.2.8": "hmac-sha224", "1.2.840.113549.2.10": "hmac-sha384", "1.2.840.113549.2.11": "hmac-sha512",
}

// pbes1Ciphers are the older schemes, cipher and KDF in one (RFC 8018,
// appendix A.3; RFC 7292, appendix C).
var pbes1Ciphers = map[string]KeyEncryption{
	"1.2.840.113549.1.5.3":    {Cipher: "des-cbc", KDF: "pbkdf1-md5"},
	"1.2.840.113549.1.5.6":    {Cipher: "rc2-cbc", KDF: "pbkdf1-md5"},
	"1.2.840.113549.1.5.10":   {Cipher: "des-cbc", KDF: "pbkdf1-sha1"},
	"1.2.840.113549.1.5.11":   {Cipher: "rc2-cbc", KDF: "pbkdf1-sha1"},
	"1.2.840.113549.1.12.1.1": {Cipher: "rc4", KDF: "pkcs12-sha1"},
	"1.2.840.113549.1.12.1.2": {Cipher: "rc4-40", KDF: "pkcs12-sha1"},
	"1.2.840.113549.1.12.1.3": {Cipher: "des-ede3-cbc", KDF: "pkcs12-sha1"},
	"1.2.840.113549.1.12.1.4": {Cipher: "des-ede-cbc", KDF: "pkcs12-sha1"},
	"1.2.840.113549.1.12.1.5": {Cipher: "rc2-cbc", KDF: "pkcs12-sha1"},
	"1.2.840.113549.1.12.1.6": {Cipher: "rc2-40-cbc", KDF: "pkcs12-sha1"},
}

// encryptedPKCS8 is an encrypted key in PKCS#8, taken apart.
type encryptedPKCS8 struct {
	info   encryptedKeyInfo
	pbes2  pbes2Params
	pbkdf2 pbkdf2Params
	how    KeyEncryption
}

// readEncryptedPKCS8 takes an encrypted key apart as far as that goes. It
// fails with errKey if the key is damaged, and with an encryptionError if the
// scheme is one that is not read; then how still says what is known of it.
func readEncryptedPKCS8(der []byte) (encryptedPKCS8, error) {
	var e encryptedPKCS8
	if rest, err := asn1.Unmarshal(der, &e.info); err != nil || len(rest) > 0 {
		return e, errKey
	}
	scheme := e.info.Algorithm
	if old, known := pbes1Ciphers[scheme.Algorithm.String()]; known {
		e.how = old
		var params struct {
			Salt       []byte
			Iterations int64
		}
		if err := unmarshalAll(scheme.Parameters, &params); err != nil {
			return e, errKey
		}
		e.how.Iterations = params.Iterations
		return e, &encryptionError{old.KDF + " with " + old.Cipher}
	}
	if !scheme.Algorithm.Equal(oidPBES2) {
		return e, &encryptionError{"scheme " + scheme.Algorithm.String()}
	}
	if err := unmarshalAll(scheme.Parameters, &e.pbes2); err != nil {
		return e, errKey
	}
	cipher := e.pbes2.Cipher.Algorithm.String()
	e.how.Cipher = cipher
	if known, ok := pbes2Ciphers[cipher]; ok {
		e.how.Cipher = known.name
	}
	return e, e.readKDF()
}

func (e *encryptedPKCS8) readKDF() error {
	kdf := e.pbes2.KDF
	if !kdf.Algorithm.Equal(oidPBKDF2) {
		e.how.KDF = kdf.Algorithm.String()
		if kdf.Algorithm.Equal(oidScrypt) {
			e.how.KDF = "scrypt"
		}
		return &encryptionError{"KDF " + e.how.KDF}
	}
	if err := unmarshalAll(kdf.Parameters, &e.pbkdf2); err != nil {
		return errKey
	}
	prf := e.pbkdf2.PRF.Algorithm
	if prf == nil { // DEFAULT algid-hmacWithSHA1
		prf = oidPRFSHA1
	}
	name, known := pbkdf2PRFs[prf.String()]
	if !known {
		name = prf.String()
	}
	e.how.KDF, e.how.Iterations = "pbkdf2-"+name, e.pbkdf2.Iterations
	if name != "hmac-sha1" && name != "hmac-sha256" {
		return &encryptionError{"KDF " + e.how.KDF}
	}
	return nil
}

// parsePBES2 checks an encrypted key and returns it in the form that the
// library takes, which knows no key length, takes SHA-1 for every PRF that it
// does not know, and panics at a vector or data of the wrong length.
func parsePBES2(der []byte) ([]byte, error) {
	e, err := readEncryptedPKCS8(der)
	if err != nil {
		return nil, err
	}
	cipher, known := pbes2Ciphers[e.pbes2.Cipher.Algorithm.String()]
	if !known {
		return nil, &encryptionError{"cipher " + e.how.Cipher}
	}
	if e.pbkdf2.Iterations > maxIterations {
		return nil, &encryptionError{fmt.Sprintf("%d iterations are more than %d", e.pbkdf2.Iterations, maxIterations)}
	}
	var iv []byte
	if err := unmarshalAll(e.pbes2.Cipher.Parameters, &iv); err != nil || len(iv) != cipher.block {
		return nil, errKey
	}
	salt, length := len(e.pbkdf2.Salt), e.pbkdf2.KeyLength
	if e.pbkdf2.Iterations < 1 || salt == 0 || salt > maxSalt || (length != 0 && length != cipher.key) ||
		!isWholeBlocks(e.info.Data, cipher.block) {
		return nil, errKey
	}
	e.pbkdf2.KeyLength = 0
	if e.pbkdf2.PRF.Algorithm != nil { // with NULL, as RFC 8018 has it and some leave out
		e.pbkdf2.PRF.Parameters = asn1.NullRawValue
	}
	return e.marshal()
}

func (e *encryptedPKCS8) marshal() ([]byte, error) {
	var err error
	if e.pbes2.KDF.Parameters.FullBytes, err = asn1.Marshal(e.pbkdf2); err != nil {
		return nil, err
	}
	if e.info.Algorithm.Parameters.FullBytes, err = asn1.Marshal(e.pbes2); err != nil {
		return nil, err
	}
	return asn1.Marshal(e.info)
}

// unmarshalAll parses a DER value that is all there is.
func unmarshalAll(raw asn1.RawValue, into any) error {
	rest, err := asn1.Unmarshal(raw.FullBytes, into)
	if err == nil && len(rest) > 0 {
		return errKey
	}
	return err
}
