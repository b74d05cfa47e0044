package ca

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"go.step.sm/crypto/pemutil"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
)

// labelEncryptedKey is the label of RFC 7468, section 11.
const labelEncryptedKey = "ENCRYPTED PRIVATE KEY"

// EncryptKey encodes a private key as encrypted PKCS#8 PEM (RFC 5958, section
// 3): PBES2 with AES-256-CBC and PBKDF2-HMAC-SHA-256 of 600,000 iterations,
// which OpenSSL reads. The passphrase must not be empty. The key of a token
// never leaves it, and cannot be encrypted.
func EncryptKey(key crypto.Signer, passphrase []byte) ([]byte, error) {
	if len(passphrase) == 0 {
		return nil, errors.New("the passphrase is empty")
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	defer clear(der)
	block, err := pemutil.EncryptPKCS8PrivateKey(rand.Reader, der, passphrase, x509.PEMCipherAES256)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(block), nil
}

// encryptionError says why an encrypted key cannot be decrypted, whatever the
// passphrase.
type encryptionError struct{ how string }

func (e *encryptionError) Error() string { return e.how }

// isPlainKey says whether a file holds a private key that anybody can use who
// can read it.
func isPlainKey(path string) (bool, error) {
	data, err := store.Read(path, store.MaxPEM)
	if err != nil {
		return false, err
	}
	defer clear(data)
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if strings.HasSuffix(block.Type, "PRIVATE KEY") {
			return !isEncrypted(block), nil
		}
	}
	return false, nil
}

// isEncrypted says whether a PEM block holds an encrypted key: in PKCS#8, or
// in OpenSSL's older form (RFC 1421, 4.6.1.1).
func isEncrypted(block *pem.Block) bool {
	return block.Type == labelEncryptedKey || strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED")
}

// decryptKey asks for the passphrase of the key in a PEM block and decrypts it.
// What no passphrase could open is an error before anybody is asked.
func decryptKey(block *pem.Block, name string, ask Passphrase) (any, error) {
	if err := checkEncryption(block); err != nil {
		return nil, keyEncryptionError(err, name)
	}
	passphrase, err := askFor(ask, fmt.Sprintf("key %q", name),
		failure.New(failure.Failed, hintEncrypted, "key %q is encrypted", name))
	if err != nil {
		return nil, err
	}
	defer clear(passphrase)
	der, err := decrypt(block, passphrase)
	defer clear(der)
	if err != nil && !errors.Is(err, x509.IncorrectPasswordError) {
		return nil, damagedKey(name)
	}
	if key, _, err := parsePrivateKey(der); err == nil {
		return key, nil
	}
	// The padding of noise is right once in 256 times; noise is no sequence
	// that ends where the data does.
	if isSequence(der) {
		return nil, damagedKey(name)
	}
	return nil, failure.New(failure.Failed,
		"check it for a typing error; if it is right, the file is damaged: restore it from a backup",
		"the passphrase of key %q is wrong", name)
}

func keyEncryptionError(err error, name string) error {
	var unreadable *encryptionError
	if !errors.As(err, &unreadable) {
		return damagedKey(name)
	}
	return failure.New(failure.Failed,
		"encrypt it anew with: openssl pkcs8 -topk8 -v2 aes-256-cbc -in FILE -out NEW (for old ciphers with: -provider default -provider legacy)",
		"key %q is encrypted in a way that cannot be read: %s", name, unreadable.how)
}

// checkEncryption says whether decrypt can do its work. What it lets pass,
// only a wrong passphrase or damage to the encrypted octets makes fail.
func checkEncryption(block *pem.Block) error {
	if len(block.Bytes) > 2*maxKeyDER {
		return errKey
	}
	if block.Type != labelEncryptedKey {
		_, err := parseDEK(block)
		return err
	}
	_, err := parsePBES2(block.Bytes)
	return err
}

// decrypt returns the key in DER form, of a block that checkEncryption let pass.
func decrypt(block *pem.Block, passphrase []byte) ([]byte, error) {
	if block.Type == labelEncryptedKey {
		der, err := parsePBES2(block.Bytes)
		if err != nil {
			return nil, err
		}
		return pemutil.DecryptPKCS8PrivateKey(der, passphrase)
	}
	return pemutil.DecryptPEMBlock(&pem.Block{Type: block.Type, Bytes: block.Bytes, Headers: map[string]string{
		"Proc-Type": "4,ENCRYPTED", "DEK-Info": block.Headers["DEK-Info"],
	}}, passphrase)
}

// isSequence says whether data is one DER sequence from its first octet to its
// last, as every private key is.
func isSequence(data []byte) bool {
	var value asn1.RawValue
	rest, err := asn1.Unmarshal(data, &value)
	return err == nil && len(rest) == 0 && value.Tag == asn1.TagSequence
}

// dekCiphers are the ciphers of OpenSSL's older form that are read, with the
// length of their block.
var dekCiphers = map[string]int{
	"DES-CBC": 8, "DES-EDE3-CBC": 8, "AES-128-CBC": 16, "AES-192-CBC": 16, "AES-256-CBC": 16,
}

// parseDEK reads the header DEK-Info, which says cipher and initialization
// vector (RFC 1421, 4.6.1.3). The key is one round of MD5 over passphrase and
// vector: such a file is hardly harder to open than its passphrase is to guess.
func parseDEK(block *pem.Block) (KeyEncryption, error) {
	name, vector, _ := strings.Cut(block.Headers["DEK-Info"], ",")
	how := KeyEncryption{Cipher: strings.ToLower(name), KDF: "md5", Iterations: 1}
	size, known := dekCiphers[name]
	if name == "" {
		return KeyEncryption{}, errKey
	}
	if !known {
		return how, &encryptionError{fmt.Sprintf("cipher %q", name)}
	}
	iv, err := hex.DecodeString(strings.TrimSpace(vector))
	if err != nil || len(iv) != size || !isWholeBlocks(block.Bytes, size) {
		return how, errKey
	}
	return how, nil
}

func isWholeBlocks(data []byte, size int) bool { return len(data) > 0 && len(data)%size == 0 }
