package ca

import (
	"bytes"
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"net"
	"slices"
	"time"
)

// CertificateInfo describes a certificate.
type CertificateInfo struct {
	Subject            string    `json:"subject"`
	Issuer             string    `json:"issuer"`
	Serial             string    `json:"serial"`
	Version            int       `json:"version"`
	NotBefore          time.Time `json:"notBefore"`
	NotAfter           time.Time `json:"notAfter"`
	PublicKey          KeyInfo   `json:"publicKey"`
	SignatureAlgorithm string    `json:"signatureAlgorithm"`
	RequestedInfo
	SubjectKeyID     string           `json:"subjectKeyID,omitempty"`
	AuthorityKeyID   string           `json:"authorityKeyID,omitempty"`
	CRLs             []string         `json:"crlDistributionPoints,omitempty"`
	OCSP             []string         `json:"ocsp,omitempty"`
	CAIssuers        []string         `json:"caIssuers,omitempty"`
	Policies         []string         `json:"policies,omitempty"`
	NameConstraints  *NameConstraints `json:"nameConstraints,omitempty"`
	SHA256           string           `json:"fingerprintSHA256"`
	SHA1             string           `json:"fingerprintSHA1"`
	SelfSigned       bool             `json:"selfSigned"`
	SelfSignedReason string           `json:"selfSignedReason,omitempty"` // where names say yes and the signature does not
	Kubernetes       *KubernetesUser  `json:"kubernetes,omitempty"`

	X509 *x509.Certificate `json:"-"`
}

// NameConstraints limit the names below a CA (RFC 5280, 4.2.1.10).
type NameConstraints struct {
	Permitted []string `json:"permitted,omitempty"`
	Excluded  []string `json:"excluded,omitempty"`
}

// KubernetesUser is whom an API server takes the holder of a client
// certificate for.
type KubernetesUser struct {
	User   string   `json:"user"`
	Groups []string `json:"groups,omitempty"`
}

func decodeCertificate(der []byte) (Item, error) {
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return Item{}, err
	}
	return DescribeCertificate(cert)
}

// DescribeCertificate describes a certificate as Decode does.
func DescribeCertificate(cert *x509.Certificate) (Item, error) {
	if err := checkSize(cert.PublicKey); err != nil {
		return Item{}, err
	}
	requested, err := newRequestedInfo(cert.Extensions, SANsOf(cert))
	if err != nil {
		return Item{}, err
	}
	sha1Sum := sha1.Sum(cert.Raw) // to compare with older tools; nothing relies on it
	info := &CertificateInfo{
		Subject: FormatName(cert.RawSubject), Issuer: FormatName(cert.RawIssuer),
		Serial: FormatSerial(cert.SerialNumber), Version: cert.Version,
		NotBefore: cert.NotBefore.UTC(), NotAfter: cert.NotAfter.UTC(),
		PublicKey:          newKeyInfo(cert.PublicKey, cert.RawSubjectPublicKeyInfo),
		SignatureAlgorithm: signatureName(cert.SignatureAlgorithm, cert.Raw),
		RequestedInfo:      requested,
		SubjectKeyID:       colonHex(cert.SubjectKeyId), AuthorityKeyID: colonHex(cert.AuthorityKeyId),
		CRLs: cert.CRLDistributionPoints, OCSP: cert.OCSPServer, CAIssuers: cert.IssuingCertificateURL,
		NameConstraints: nameConstraints(cert),
		SHA256:          Fingerprint(cert), SHA1: colonHex(sha1Sum[:]),
		Kubernetes: kubernetesUser(cert),
		X509:       cert,
	}
	for _, policy := range cert.Policies {
		info.Policies = append(info.Policies, policy.String())
	}
	if bytes.Equal(cert.RawSubject, cert.RawIssuer) {
		err := cert.CheckSignature(cert.SignatureAlgorithm, cert.RawTBSCertificate, cert.Signature)
		if info.SelfSigned = err == nil; !info.SelfSigned {
			info.SelfSignedReason = "it names itself as its issuer, but its own key did not sign it: " + plain(err)
		}
	}
	return Item{Kind: ItemCertificate, Certificate: info}, nil
}

// kubernetesUser reads a subject as the API server does: the last common name
// is the user, every organization a group.
func kubernetesUser(cert *x509.Certificate) *KubernetesUser {
	isClient := slices.Contains(cert.ExtKeyUsage, x509.ExtKeyUsageClientAuth) ||
		slices.Contains(cert.ExtKeyUsage, x509.ExtKeyUsageAny)
	if !isClient || cert.Subject.CommonName == "" {
		return nil
	}
	return &KubernetesUser{User: cert.Subject.CommonName, Groups: cert.Subject.Organization}
}

func nameConstraints(cert *x509.Certificate) *NameConstraints {
	constraints := NameConstraints{
		Permitted: constraintNames(cert.PermittedDNSDomains, cert.PermittedIPRanges,
			cert.PermittedEmailAddresses, cert.PermittedURIDomains),
		Excluded: constraintNames(cert.ExcludedDNSDomains, cert.ExcludedIPRanges,
			cert.ExcludedEmailAddresses, cert.ExcludedURIDomains),
	}
	if constraints.Permitted == nil && constraints.Excluded == nil {
		return nil
	}
	return &constraints
}

func constraintNames(dns []string, ips []*net.IPNet, emails, uris []string) []string {
	var names []string
	for _, name := range dns {
		names = append(names, "DNS:"+name)
	}
	for _, ip := range ips {
		names = append(names, "IP:"+ip.String())
	}
	for _, email := range emails {
		names = append(names, "email:"+email)
	}
	for _, uri := range uris {
		names = append(names, "URI:"+uri)
	}
	return names
}

// signatureName names an algorithm; signed is the whole object in DER form,
// which has the OID of an algorithm that Go does not know.
func signatureName(algorithm x509.SignatureAlgorithm, signed []byte) string {
	if algorithm != x509.UnknownSignatureAlgorithm {
		return algorithm.String()
	}
	var outer struct {
		TBS       asn1.RawValue
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}
	if _, err := asn1.Unmarshal(signed, &outer); err != nil {
		return "unknown"
	}
	return fmt.Sprintf("unknown (%s)", outer.Algorithm.Algorithm)
}
