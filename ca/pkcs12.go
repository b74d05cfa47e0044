package ca

import (
	"bytes"
	"fmt"

	"software.sslmate.com/src/go-pkcs12"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/shell"
)

// pkcs12Iterations is how often the password is hashed, once each for the
// certificates, the key and the MAC: the most that .NET's loader takes unless
// told otherwise (Pkcs12LoaderLimits). Java takes 5,000,000, OpenSSL any number.
const pkcs12Iterations = 300_000

// encodePKCS12 writes key, certificate and all CAs up to the root under a
// password: PBES2 with AES-256-CBC and PBKDF2-HMAC-SHA-256, and an HMAC-SHA-256
// over all. OpenSSL 1.1.1, Java 12, Windows Server 2019 and what is newer read it.
func encodePKCS12(c Credential, password []byte) ([]byte, error) {
	if err := checkPKCS12Password(password); err != nil {
		return nil, err
	}
	key, err := ParseKey(c.KeyPEM, "the new key", nil)
	if err != nil {
		return nil, err
	}
	chain, err := parseCertificates(c.CAPEM, "credential")
	if err != nil {
		return nil, err
	}
	encoder := pkcs12.Modern2023.WithIterations(pkcs12Iterations)
	return encoder.Encode(key, c.Certificate, chain, string(password))
}

// checkPKCS12Password refuses what not every reader takes for the same
// password: it is a BMPString for the MAC, and UTF-8 for the encryption (RFC
// 7292, appendix B.1; RFC 8018, section 3), and Java takes ASCII only.
func checkPKCS12Password(password []byte) error {
	const hint = "write ASCII letters, digits and punctuation, as many as you like; make one with: openssl rand -hex 16"
	if len(password) == 0 {
		return failure.New(failure.Usage, hint, "the password of a PKCS#12 file is empty")
	}
	if bytes.ContainsFunc(password, func(r rune) bool { return r < ' ' || r > '~' }) {
		return failure.New(failure.Usage, hint,
			"the password of the PKCS#12 file has a character that not every program reads in the same way")
	}
	return nil
}

// explainPKCS12 takes the first certificate alone from PREFIX.crt: what stands
// behind it there is also in the CA's bundle.
func explainPKCS12(p ExportPaths, cert, key string) string {
	password := ""
	if p.Password != "" {
		password = " -passout " + shell.Quote(p.Password)
	}
	return fmt.Sprintf(`openssl x509 -in %s | openssl pkcs12 -export -inkey %s -certfile %s \
  -keypbe AES-256-CBC -certpbe AES-256-CBC -macalg sha256 -iter %d%s`,
		cert, key, shell.Quote(BundlePath(p.Dir)), pkcs12Iterations, password)
}
