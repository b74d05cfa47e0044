package csr

import (
	"fmt"
	"strings"

	"github.com/pkictl/pkictl/internal/shell"
)

// Explain returns the openssl and kubectl commands, for a POSIX shell, that get
// a credential as Mint does, into PREFIX.key and PREFIX.crt. Kubectl is how it
// is called, with its flags. Without Approve they wait for somebody's approval.
func (r CredentialRequest) Explain(prefix, kubectl string) (string, error) {
	_, requestPEM, err := NewRequest(r.RequestOptions)
	if err != nil {
		return "", err
	}
	object, _, err := NewObject(r.options(requestPEM))
	if err != nil {
		return "", err
	}
	request, err := r.request()
	if err != nil {
		return "", err
	}
	return request.ExplainSign(prefix+".key", prefix+".csr", false) + explainObtain(object, r.Approve, prefix, kubectl), nil
}

// explainObtain sends PREFIX.csr as the object says, and writes PREFIX.crt.
func explainObtain(object *Object, approve bool, prefix, kubectl string) string {
	usages := make([]string, len(object.Spec.Usages))
	for i, usage := range object.Spec.Usages {
		usages[i] = string(usage)
	}
	var b strings.Builder
	fmt.Fprintf(&b, `# sent to the certificates API
name=$(%s create -o name -f - <<EOF
apiVersion: certificates.k8s.io/v1
kind: CertificateSigningRequest
metadata:
  generateName: %s
  labels: {%s: %s}
spec:
  signerName: %s
  usages: [%s]
  expirationSeconds: %d
  request: $(base64 < %s | tr -d '\n')
EOF
)
`, kubectl, object.Name[:strings.LastIndex(object.Name, "-")+1], LabelManagedBy, ManagedBy, object.Spec.SignerName,
		strings.Join(usages, ", "), *object.Spec.ExpirationSeconds, shell.Quote(prefix+".csr"))
	if approve {
		fmt.Fprintf(&b, "%s certificate approve \"${name#*/}\" >&2\n", kubectl)
	}
	fmt.Fprintf(&b, `# it does not notice when one is denied or fails
%[1]s wait "$name" --for='jsonpath={.status.certificate}' >&2
%[1]s get "$name" -o 'jsonpath={.status.certificate}' | base64 -d > %[2]s
`, kubectl, shell.Quote(prefix+".crt"))
	return b.String()
}
