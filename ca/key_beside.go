package ca

import (
	"crypto"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
)

// KeyBeside describes the private key in the file at path, which is at most
// 1 MiB of PEM or DER. It never follows a reference into a PKCS#11 token, and
// asks for no passphrase: who may write beside a certificate must not choose a
// library that runs in this process. Public is nil where the key is encrypted
// or in a token. A file without a private key is an error.
func KeyBeside(path string) (*KeyInfo, error) {
	data, err := store.Read(path, store.MaxPEM)
	if err != nil {
		return nil, err
	}
	items, err := Decode(data, path)
	if err != nil {
		return nil, err
	}
	key := PrivateKey(items)
	if key == nil {
		return nil, failure.New(failure.Failed, "a key file begins with -----BEGIN PRIVATE KEY-----", "%q holds no private key", path)
	}
	return key, nil
}

// hidden says why the public part of a key is not known; it is empty where it is.
func (k *KeyInfo) hidden() string {
	switch {
	case k.Encrypted:
		return "is encrypted"
	case k.Public == nil:
		return "is in a PKCS#11 token"
	}
	return ""
}

// publicKeyBeside returns the public part of the private key in the file at path.
// What cannot be compared with a certificate is an error.
func publicKeyBeside(path string) (crypto.PublicKey, error) {
	key, err := KeyBeside(path)
	if err != nil {
		return nil, err
	}
	if why := key.hidden(); why != "" {
		return nil, failure.New(failure.Failed, "make a request with it, and have that signed with: pkictl issue --csr FILE --force",
			"key %q %s, so that nothing says whether it belongs to the certificate", path, why)
	}
	return key.Public, nil
}
