package ca

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
)

// CertificateRequest is a certificate request that somebody else made (PKCS#10,
// RFC 2986), as it was read. What it asks for is not granted yet.
type CertificateRequest struct {
	name        string // what errors call it
	path        string // of the file; empty where it comes from elsewhere
	isDER       bool
	request     *x509.CertificateRequest
	info        RequestedInfo
	commonNames []string
	groups      []string // organizations, in their order
	ignored     []string // what no certificate takes from a request
	problems    []requestProblem
}

// requestProblem is why a request is refused, unless it is allowed by name.
type requestProblem struct {
	allow string // one of Allowances; empty: never
	what  string
	hint  string
	ca    bool // it is that the request is for a CA
}

const newRequestHint = "ask its owner for a new request"

// ReadRequest reads a certificate request from a file of at most 1 MiB, as
// ParseRequest does.
func ReadRequest(path string) (*CertificateRequest, error) {
	data, err := store.Read(path, store.MaxPEM)
	if err != nil {
		return nil, err
	}
	request, err := ParseRequest(data, path)
	if err == nil {
		request.path = path
	}
	return request, err
}

// ParseRequest reads one certificate request in PEM or DER form. The name is
// what errors call it. Whether the request is fit to be signed is for
// IssueOptions.TakeRequest to say.
func ParseRequest(data []byte, name string) (*CertificateRequest, error) {
	der, err := requestDER(data, name)
	if err != nil {
		return nil, err
	}
	request, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return nil, failure.Wrap(errors.New(plain(err)), failure.Failed, newRequestHint, "certificate request %q cannot be read", name)
	}
	r, err := newCertificateRequest(request, name)
	if err == nil {
		r.isDER = len(splitPEM(data)) == 0
	}
	return r, err
}

// requestDER returns the DER form of the one request in data.
func requestDER(data []byte, name string) ([]byte, error) {
	segments := splitPEM(data)
	switch {
	case len(data) > store.MaxPEM:
		return nil, failure.New(failure.Failed, "check that it is the file you mean", "%q is larger than 1 MiB", name)
	case len(segments) > 1:
		return nil, failure.New(failure.Failed, "name a file with one certificate request alone", "%q holds %d PEM blocks", name, len(segments))
	case len(segments) == 0 && IsEncoded(data):
		return data, nil
	case len(segments) == 0:
		return nil, failure.New(failure.Failed, "a request begins with -----BEGIN CERTIFICATE REQUEST-----", "%q is no certificate request in PEM or DER form", name)
	}
	block, _ := pem.Decode(segments[0])
	if block == nil {
		return nil, failure.New(failure.Failed, "copy the whole file again from where it came", "the PEM block of %q is damaged", name)
	}
	if block.Type != "CERTIFICATE REQUEST" && block.Type != "NEW CERTIFICATE REQUEST" {
		return nil, failure.New(failure.Failed, "a request begins with -----BEGIN CERTIFICATE REQUEST-----; see what it is with: pkictl inspect",
			"%q holds a block %q, not a certificate request", name, block.Type)
	}
	return block.Bytes, nil
}

func newCertificateRequest(request *x509.CertificateRequest, name string) (*CertificateRequest, error) {
	r := &CertificateRequest{name: name, request: request}
	sans := SANs{DNS: request.DNSNames, IPs: request.IPAddresses, URIs: request.URIs, Emails: request.EmailAddresses}
	info, err := newRequestedInfo(request.Extensions, sans)
	if err == nil {
		err = r.readSubject()
	}
	if err == nil {
		err = r.readAttributes()
	}
	if err != nil {
		return nil, failure.Wrap(errors.New(plain(err)), failure.Failed, newRequestHint, "certificate request %q cannot be read", name)
	}
	r.info = info
	r.checkKey()
	r.checkSignature()
	r.checkExtensions()
	return r, nil
}

// readSubject sorts the attributes of the subject into what Kubernetes reads
// and the rest.
func (r *CertificateRequest) readSubject() error {
	var rdns pkix.RDNSequence
	if rest, err := asn1.Unmarshal(r.request.RawSubject, &rdns); err != nil || len(rest) > 0 {
		return errors.New("its subject is damaged")
	}
	for _, rdn := range rdns {
		for _, attribute := range rdn {
			value, isText := attribute.Value.(string)
			switch {
			case !attribute.Type.Equal(oidCommonName) && !attribute.Type.Equal(oidOrganization):
				r.ignored = append(r.ignored, "subject attribute "+attributeText(attribute))
			case !isText:
				return errors.New("its subject holds something that is not a text")
			case attribute.Type.Equal(oidCommonName):
				r.commonNames = append(r.commonNames, value)
			default:
				r.groups = append(r.groups, value)
			}
		}
	}
	return nil
}

// attributeText shows an attribute that Kubernetes does not read, such as the
// e-mail address that OpenSSL asks for.
func attributeText(attribute pkix.AttributeTypeAndValue) string {
	value, isText := attribute.Value.(string)
	if isText && attribute.Type.Equal(oidEmailAddress) {
		return "emailAddress=" + value
	}
	return pkix.RDNSequence{{attribute}}.String()
}

var (
	oidEmailAddress      = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 1}
	oidExtensionRequest  = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 14}
	oidChallengePassword = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 7}
)

// readAttributes looks at the attributes beside the requested extensions, which
// crypto/x509 passes over (RFC 2986, section 4.1).
func (r *CertificateRequest) readAttributes() error {
	var tbs struct {
		Version    int
		Subject    asn1.RawValue
		PublicKey  asn1.RawValue
		Attributes []struct {
			Type   asn1.ObjectIdentifier
			Values []asn1.RawValue `asn1:"set"`
		} `asn1:"tag:0,set"`
	}
	if rest, err := asn1.Unmarshal(r.request.RawTBSCertificateRequest, &tbs); err != nil || len(rest) > 0 {
		return errors.New("its attributes are damaged")
	}
	seen := map[string]bool{}
	for _, attribute := range tbs.Attributes {
		oid := attribute.Type.String()
		switch {
		case seen[oid]: // RFC 2986, 4.1: a set of distinct types
			r.never(newRequestHint, "it has the attribute %s twice", oid)
		case attribute.Type.Equal(oidExtensionRequest):
			if len(attribute.Values) != 1 { // RFC 2985, 5.4.2: single-valued
				r.never(newRequestHint, "it has %d lists of extensions", len(attribute.Values))
			}
		case attribute.Type.Equal(oidChallengePassword):
			r.ignored = append(r.ignored, "challenge password")
		default:
			r.ignored = append(r.ignored, "attribute "+oid)
		}
		seen[oid] = true
	}
	return nil
}

func (r *CertificateRequest) never(hint, format string, args ...any) {
	r.problems = append(r.problems, requestProblem{what: fmt.Sprintf(format, args...), hint: hint})
}

func (r *CertificateRequest) neverCA(format string, args ...any) {
	r.problems = append(r.problems, requestProblem{what: fmt.Sprintf(format, args...), hint: caHint, ca: true})
}

func (r *CertificateRequest) unless(allow, format string, args ...any) {
	r.problems = append(r.problems, requestProblem{
		allow: allow, what: fmt.Sprintf(format, args...), hint: newRequestHint + ", or allow it with --allow " + allow,
	})
}

// weakKey says what is weak about a public key, and what makes it no key that
// can be used at all. Both are empty for a good one.
func weakKey(pub crypto.PublicKey) (weak, useless string) {
	switch pub := pub.(type) {
	case *rsa.PublicKey:
		switch bits := pub.N.BitLen(); {
		case bits > maxRSA:
			return "", fmt.Sprintf("RSA with %d bits is more than any program loads", bits)
		case pub.E < 3 || pub.E%2 == 0:
			return "", fmt.Sprintf("RSA with the exponent %d hides nothing", pub.E)
		case bits < 1024:
			return "", fmt.Sprintf("RSA with %d bits can be broken by anybody", bits)
		case bits < 2048 || bits > 8192: // crypto/tls takes no more
			return fmt.Sprintf("RSA with %d bits is outside of 2048 to 8192", bits), ""
		case pub.E < 65537: // FIPS 186-5, 5.1
			return fmt.Sprintf("RSA with the exponent %d is below 65537", pub.E), ""
		}
		return "", ""
	case *ecdsa.PublicKey:
		if pub.Curve == elliptic.P224() {
			return "the curve P-224 is one that TLS does not know", ""
		}
		return "", ""
	}
	if KeyName(pub) == string(Ed25519) {
		return "", ""
	}
	return "", "it is none of RSA, ECDSA and Ed25519"
}

func (r *CertificateRequest) checkKey() {
	weak, useless := weakKey(r.request.PublicKey)
	if useless != "" {
		r.never(newRequestHint+" with another key", "its key cannot be used: %s", useless)
	} else if weak != "" {
		r.unless(AllowWeakKey, "its key is weak: %s", weak)
	}
}

// checkSignature checks that whoever made the request has the private key.
func (r *CertificateRequest) checkSignature() {
	if checkSize(r.request.PublicKey) != nil {
		return // which is a problem already, and would take minutes
	}
	switch r.request.SignatureAlgorithm {
	case x509.SHA1WithRSA, x509.ECDSAWithSHA1:
		r.unless(AllowWeakHash, "its signature is weak: SHA-1 can be forged")
	case x509.MD2WithRSA, x509.MD5WithRSA:
		r.never(newRequestHint, "its signature is worth nothing: %s", r.request.SignatureAlgorithm)
		return
	case x509.UnknownSignatureAlgorithm: // such as RSA-PSS with a salt of another length than the hash
		r.never(newRequestHint+" with a usual signature, as of SHA-256", "its signature cannot be checked: the algorithm is unknown")
		return
	}
	if err := r.request.CheckSignature(); err != nil {
		r.never(newRequestHint, "its signature is not valid, which leaves open who has the private key: %s", plain(err))
	}
}

const caHint = "make an intermediate CA with: pkictl init-ca --parent DIR"

// checkExtensions refuses what makes a CA, and notes what is not taken.
func (r *CertificateRequest) checkExtensions() {
	if c := r.info.BasicConstraints; c != nil && c.CA {
		r.neverCA("it asks to be a CA (CA:TRUE)")
	}
	for _, usage := range r.info.KeyUsages {
		if usage == "cert sign" || usage == "crl sign" {
			r.neverCA("it asks for the usage %s, which only a CA has", usage)
		}
	}
	for _, extension := range r.info.Extensions {
		switch extension.OID {
		case oidKeyUsage, oidExtendedKeyUsage, oidBasicConstraints, oidSANs:
		case "2.5.29.14": // the certificate has one, of the same key
		default:
			r.ignored = append(r.ignored, "extension "+strings.TrimSpace(extension.OID+" "+extension.Name))
		}
	}
	if sans := r.info.SANs; sans != nil {
		for _, other := range sans.Other {
			r.ignored = append(r.ignored, "alternative name "+other)
		}
	}
}
