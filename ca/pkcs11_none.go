//go:build !pkcs11

package ca

import "github.com/pkictl/pkictl/internal/failure"

// openToken is for programs built with the tag pkcs11: PKCS#11 libraries are C.
func openToken(tokenURI, Passphrase) (tokenSession, error) {
	return nil, failure.New(failure.Failed, "build one that can, with a C compiler: CGO_ENABLED=1 go build -tags pkcs11 ./cmd/pkictl",
		"the key is in a PKCS#11 token, which this pkictl is built without")
}
