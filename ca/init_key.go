package ca

import "crypto"

// makeKey makes the CA's key, or takes that of a token, and returns it with
// what ca.key is to hold. The caller ends its session with CloseKey.
func (o InitOptions) makeKey(kind KeyKind) (crypto.Signer, []byte, error) {
	key, err := o.newKey(kind)
	if err != nil {
		return nil, nil, err
	}
	data, err := o.marshalKey(key)
	if err != nil {
		CloseKey(key)
		return nil, nil, err
	}
	return key, data, nil
}

func (o InitOptions) newKey(kind KeyKind) (crypto.Signer, error) {
	if o.PKCS11 == "" {
		return GenerateKey(kind)
	}
	if o.Key == "" {
		kind = "" // whatever is in the token
	}
	return newTokenKey(o.PKCS11, kind, o.Passphrase, o.DryRun)
}

// encrypts says whether ca.key will be encrypted. A token guards its keys itself.
func (o InitOptions) encrypts() bool { return o.NewPassphrase != nil && o.PKCS11 == "" }

// marshalKey encrypts the key if there is to be a passphrase.
func (o InitOptions) marshalKey(key crypto.Signer) ([]byte, error) {
	if !o.encrypts() {
		return MarshalKey(key)
	}
	passphrase, err := askNew(o.NewPassphrase, o.paths().key)
	if err != nil {
		return nil, err
	}
	defer clear(passphrase)
	return EncryptKey(key, passphrase)
}
