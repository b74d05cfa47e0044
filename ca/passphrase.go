package ca

// Passphrase asks for the passphrase of a key. The name says which key, as in
// `key "pki/ca.key"`. It is called only when a passphrase is needed, and again
// by nobody when it was wrong. The bytes are the caller's to forget.
type Passphrase func(name string) ([]byte, error)
