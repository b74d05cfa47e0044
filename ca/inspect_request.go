package ca

import "crypto/x509"

// RequestInfo describes a certificate request (RFC 2986). Attributes other
// than requested extensions are left out: a challenge password is a secret.
type RequestInfo struct {
	Subject            string  `json:"subject"`
	PublicKey          KeyInfo `json:"publicKey"`
	SignatureAlgorithm string  `json:"signatureAlgorithm"`
	RequestedInfo
	SignatureValid  bool   `json:"signatureValid"`
	SignatureReason string `json:"signatureReason,omitempty"` // why it is not valid

	X509 *x509.CertificateRequest `json:"-"`
}

func decodeRequest(der []byte) (Item, error) {
	req, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return Item{}, err
	}
	if err := checkSize(req.PublicKey); err != nil {
		return Item{}, err
	}
	sans := SANs{DNS: req.DNSNames, IPs: req.IPAddresses, URIs: req.URIs, Emails: req.EmailAddresses}
	requested, err := newRequestedInfo(req.Extensions, sans)
	if err != nil {
		return Item{}, err
	}
	info := &RequestInfo{
		Subject:            FormatName(req.RawSubject),
		PublicKey:          newKeyInfo(req.PublicKey, req.RawSubjectPublicKeyInfo),
		SignatureAlgorithm: signatureName(req.SignatureAlgorithm, req.Raw),
		RequestedInfo:      requested,
		SignatureValid:     true,
		X509:               req,
	}
	if err := req.CheckSignature(); err != nil {
		info.SignatureValid, info.SignatureReason = false, plain(err)
	}
	return Item{Kind: ItemRequest, Request: info}, nil
}
