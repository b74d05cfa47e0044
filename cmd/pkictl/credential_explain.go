package main

import (
	"strings"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/shell"
)

// explainCredential returns the commands, for a POSIX shell, that print a
// credential as this command does. They have no cache: each run makes one, in
// files beside.
func (a *app) explainCredential(f credentialFlags) (recipe string, err error) {
	o := a.caCredential(f)
	o.OutDir = "."
	if f.via == viaCA {
		recipe, err = ca.ExplainIssue(o)
	} else {
		recipe, err = a.requested(f).Explain(o.Prefix(), f.conn.kubectl())
	}
	if err != nil {
		return "", err
	}
	return recipe + explainAnswer(o.Prefix()), nil
}

// explainAnswer prints what is in files as client-go reads it; the lines of PEM
// are joined for JSON.
func explainAnswer(prefix string) string {
	return strings.NewReplacer("CRT", shell.Quote(prefix+".crt"), "KEY", shell.Quote(prefix+".key")).Replace(
		`# as an ExecCredential, for client-go
joined() { awk '{ printf "%s\\n", $0 }' "$1"; }
end=$(openssl x509 -in CRT -noout -enddate -dateopt iso_8601 | sed 's/.*=//; s/ /T/')
printf '{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {
  "expirationTimestamp": "%s", "clientCertificateData": "%s", "clientKeyData": "%s"}}\n' \
  "$end" "$(joined CRT)" "$(joined KEY)"
`)
}
