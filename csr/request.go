package csr

import (
	"crypto"

	"github.com/pkictl/pkictl/ca"
)

// RequestOptions say what a certificate request asks for, as people write it.
type RequestOptions struct {
	CommonName string
	Groups     []string // organizations of the subject, in this order
	DNS        []string
	IPs        []string
	URIs       []string
	Emails     []string
	Key        string // name of a ca.KeyKind; empty: the default
}

// request checks the options.
func (o RequestOptions) request() (ca.Request, error) {
	return ca.IssueOptions{
		CommonName: o.CommonName, Groups: o.Groups, DNS: o.DNS, IPs: o.IPs, URIs: o.URIs, Emails: o.Emails, Key: o.Key,
	}.Request()
}

// NewRequest makes a key and a certificate request for it, both in PEM: PKCS#8
// and PKCS#10 (RFC 2986). Errors about the options are of kind Usage.
func NewRequest(o RequestOptions) (keyPEM, requestPEM []byte, err error) {
	_, keyPEM, requestPEM, err = newRequest(o)
	return keyPEM, requestPEM, err
}

func newRequest(o RequestOptions) (key crypto.Signer, keyPEM, requestPEM []byte, err error) {
	request, err := o.request()
	if err != nil {
		return nil, nil, nil, err
	}
	if key, err = ca.GenerateKey(request.Key); err != nil {
		return nil, nil, nil, err
	}
	if keyPEM, err = ca.MarshalKey(key); err != nil {
		return nil, nil, nil, err
	}
	requestPEM, err = request.Sign(key)
	return key, keyPEM, requestPEM, err
}

// RequestFor makes a certificate request in PEM for a key that is there. Which
// kind of key the options name does not matter.
func RequestFor(key crypto.Signer, o RequestOptions) ([]byte, error) {
	o.Key = ""
	request, err := o.request()
	if err != nil {
		return nil, err
	}
	return request.Sign(key)
}
