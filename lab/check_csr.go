package lab

import (
	"context"
	"crypto"
	"crypto/x509/pkix"

	"github.com/pkictl/pkictl/ca"
)

// readCSRCheck reads the parameters of a check of a certificate request (PKCS#10).
// It must be signed with its own key.
//
//	file     the request's
//	subject  as of a certificate
//	key      the file of the private key that it was made with
func readCSRCheck(p *params) (grader, error) {
	var file, private string
	var conditions []condition[*ca.RequestInfo]
	err := p.fields(
		p.file("file", &file),
		add(&conditions, "subject", readSubject(p, func(r *ca.RequestInfo) (pkix.Name, []byte) { return r.X509.Subject, r.X509.RawSubject })),
		p.file("key", &private),
	)
	if err != nil {
		return nil, err
	}
	if private != "" {
		conditions = append(conditions, hasKey(private, func(r *ca.RequestInfo) crypto.PublicKey { return r.X509.PublicKey }))
	}
	return func(_ context.Context, w *work) finding {
		wanted := "a certificate request in " + file
		item, found := w.pem(file, ca.ItemRequest, "certificate request")
		if found != "" {
			return finding{wanted: wanted, found: found}
		}
		return judge(item.Request, w, append([]condition[*ca.RequestInfo]{isThere[*ca.RequestInfo](wanted), signedByItself}, conditions...))
	}, p.someOf(1, file)
}

func signedByItself(r *ca.RequestInfo, _ *work) (wanted, found string, ok bool) {
	return "signed with its own key", "its signature does not fit its key: " + r.SignatureReason, r.SignatureValid
}
