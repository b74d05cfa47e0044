package main_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/x509/pkix"
	"encoding/asn1"
	"os"
	"path/filepath"
	"testing"
)

// Object identifiers of RFC 7292 and RFC 8018.
var (
	oidData        = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
	oidEncrypted   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 6}
	oidShroudedKey = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 10, 1, 2}
	oidPBES2       = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13}
	oidPBKDF2      = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 12}
	oidHMACSHA256  = asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 9}
	oidAES256CBC   = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 42}
)

func der(t *testing.T, value any) []byte {
	t.Helper()
	data, err := asn1.Marshal(value)
	ok(t, err)
	return data
}

// tagged0 is [0] EXPLICIT.
func tagged0(content []byte) asn1.RawValue {
	return asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true, Bytes: content}
}

// pbes2 describes a cipher under a password that is hashed so often.
func pbes2(t *testing.T, salt, iv []byte, iterations int64) pkix.AlgorithmIdentifier {
	t.Helper()
	kdf := der(t, struct {
		Salt       []byte
		Iterations int64
		PRF        pkix.AlgorithmIdentifier
	}{salt, iterations, pkix.AlgorithmIdentifier{Algorithm: oidHMACSHA256, Parameters: asn1.NullRawValue}})
	return pkix.AlgorithmIdentifier{Algorithm: oidPBES2, Parameters: asn1.RawValue{FullBytes: der(t, []pkix.AlgorithmIdentifier{
		{Algorithm: oidPBKDF2, Parameters: asn1.RawValue{FullBytes: kdf}},
		{Algorithm: oidAES256CBC, Parameters: asn1.RawValue{FullBytes: der(t, iv)}},
	})}}
}

// hiddenIterations returns a PKCS#12 file without a password whose key would
// take hours to decrypt; that stands in a part that is itself encrypted.
func hiddenIterations(t *testing.T) []byte {
	t.Helper()
	salt, iv := make([]byte, 16), make([]byte, aes.BlockSize)
	bags := der(t, []any{struct {
		ID    asn1.ObjectIdentifier
		Value asn1.RawValue
	}{oidShroudedKey, tagged0(der(t, struct {
		Algorithm pkix.AlgorithmIdentifier
		Data      []byte
	}{pbes2(t, salt, iv, 1<<40), make([]byte, 32)}))}})

	key, err := pbkdf2.Key(sha256.New, "", salt, 1, 32)
	ok(t, err)
	block, err := aes.NewCipher(key)
	ok(t, err)
	padding := aes.BlockSize - len(bags)%aes.BlockSize
	bags = append(bags, bytes.Repeat([]byte{byte(padding)}, padding)...)
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(bags, bags)

	type contentInfo struct {
		Type    asn1.ObjectIdentifier
		Content asn1.RawValue
	}
	encrypted := der(t, struct {
		Version int
		Content any
	}{0, struct {
		Type      asn1.ObjectIdentifier
		Algorithm pkix.AlgorithmIdentifier
		Data      asn1.RawValue
	}{oidData, pbes2(t, salt, iv, 1), asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 0, Bytes: bags}}})
	safe := der(t, []contentInfo{{oidEncrypted, tagged0(encrypted)}})
	return der(t, struct {
		Version int
		Safe    contentInfo
	}{3, contentInfo{oidData, tagged0(der(t, safe))}})
}

// TestHiddenIterations: no file keeps the program busy for hours.
func TestHiddenIterations(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ok(t, os.WriteFile(filepath.Join(dir, "x.p12"), hiddenIterations(t), 0o600))
	got := runProgram(t, program(dir, "inspect", "x.p12"))
	checkRefusal(t, "inspect", got, 1, "takes longer than 5s to decrypt", "do not trust")
}
