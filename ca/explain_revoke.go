package ca

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"text/template"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/shell"
)

// opensslReasons are the reasons that "openssl ca" knows, in its spelling.
var opensslReasons = map[string]string{
	reasonKeyCompromise: reasonKeyCompromise, reasonCACompromise: "CACompromise", "affiliationChanged": "affiliationChanged",
	"superseded": "superseded", "cessationOfOperation": "cessationOfOperation",
}

// revocationRecipe is what the templates of these recipes are filled with.
type revocationRecipe struct {
	Title    string
	Note     string
	Index    string // lines of openssl's database
	Number   string
	Reason   string
	Database string // paths
	Cert     string
	PEM      string // the certificate, where it is in no file
	CACert   string
	CAKey    string
	Digest   string
	Start    string
	End      string
	DER      bool
	Out      string // empty: standard output
}

var revokeRecipe = template.Must(template.New("revoke").Parse(`# {{.Title}}
# The database of "openssl ca" is index.txt; that of pkictl is inventory.db.
{{- with .Note}}
# {{.}}
{{- end}}
work=$(mktemp -d)
cat > "$work/openssl.cnf" <<'EOF'
[ca]
default_ca = list
[list]
database = $ENV::database
default_md = {{.Digest}}
unique_subject = no
EOF
{{- if .PEM}}
cat > "$work/cert.pem" <<'EOF'
{{.PEM}}EOF
{{- end}}
export database={{.Database}}; [ -e "$database" ] || : > "$database"
openssl ca -config "$work/openssl.cnf" -cert {{.CACert}} -keyfile {{.CAKey}} \
  -revoke {{if .PEM}}"$work/cert.pem"{{else}}{{.Cert}}{{end}}{{with .Reason}} -crl_reason {{.}}{{end}}
rm -r -- "$work"
`))

var crlRecipe = template.Must(template.New("crl").Parse(`# {{.Title}}
{{- with .Note}}
# {{.}}
{{- end}}
work=$(mktemp -d)
cat > "$work/openssl.cnf" <<'EOF'
[ca]
default_ca = list
[list]
database = $ENV::work/index.txt
crlnumber = $ENV::work/number
default_md = {{.Digest}}
unique_subject = no
crl_extensions = extensions
[extensions]
authorityKeyIdentifier = keyid:always
EOF
export work; echo {{.Number}} > "$work/number"
# R, an end, when it was revoked and why, the serial, the file, the subject
cat > "$work/index.txt" <<'EOF'
{{.Index}}EOF
openssl ca -config "$work/openssl.cnf" -cert {{.CACert}} -keyfile {{.CAKey}} -gencrl \
  -crl_lastupdate {{.Start}} -crl_nextupdate {{.End}} -out "$work/ca.crl"
openssl crl -in "$work/ca.crl"{{if .DER}} -outform DER{{end}}{{with .Out}} -out {{.}}{{end}}
rm -r -- "$work"
`))

// indexTime is the form of times in openssl's database, all in UTC.
const indexTime = "060102150405Z"

// ExplainRevoke returns the openssl commands, for a POSIX shell, that revoke
// the same certificate in a database of "openssl ca".
func ExplainRevoke(ctx context.Context, o RevokeOptions) (string, error) {
	o.Dir = cmp.Or(o.Dir, DefaultDir)
	code, err := parseReason(o.Reason)
	if err != nil {
		return "", err
	}
	authority, err := Open(o.Dir)
	if err != nil {
		return "", err
	}
	r, err := o.find(ctx, authority, code)
	if err != nil {
		return "", err
	}
	if r.Certificate == nil {
		return "", failure.New(failure.Failed, "pkictl revoke does it", "serial %s was never written as a certificate, so that openssl cannot revoke it", r.Serial)
	}
	recipe := newRevocationRecipe(authority)
	recipe.Title = "revoke serial " + r.Serial + ", " + onOneLine(r.Subject)
	recipe.Database = shell.Quote(filepath.Join(o.Dir, "index.txt"))
	recipe.Reason = opensslReasons[reasonName(code)]
	if code != 0 && recipe.Reason == "" {
		recipe.Note = "openssl does not know the reason " + reasonName(code) + ", so there is none."
	}
	if recipe.Cert = shell.Quote(r.Out + ".crt"); r.Files == nil {
		recipe.PEM = r.PEM
	}
	return recipe.render(revokeRecipe), nil
}

// ExplainCRL returns the openssl commands, for a POSIX shell, that make a list
// with the same number, times and entries as the one that SignCRL would make.
func ExplainCRL(ctx context.Context, o CRLOptions) (string, error) {
	o = o.withDefaults()
	authority, result, err := o.prepare()
	if err != nil {
		return "", err
	}
	if err := o.fillDry(ctx, authority, result); err != nil {
		return "", err
	}
	recipe := newRevocationRecipe(authority)
	recipe.Title = "the revocation list of the CA in " + onOneLine(o.Dir)
	recipe.Number, recipe.DER = FormatSerial(result.Number), o.DER
	recipe.Start, recipe.End = opensslTime(result.ThisUpdate), opensslTime(result.NextUpdate)
	if result.Path != "" {
		recipe.Out = shell.Quote(result.Path)
	}
	var index strings.Builder
	unknown := 0
	for _, entry := range result.Entries {
		reason := opensslReasons[reasonName(entry.ReasonCode)]
		if reason != "" {
			reason = "," + reason
		} else if entry.ReasonCode != 0 {
			unknown++
		}
		fmt.Fprintf(&index, "R\t%s\t%s%s\t%s\tunknown\t/CN=unknown\n",
			result.NextUpdate.Format(indexTime), entry.RevocationTime.Format(indexTime), reason, FormatSerial(entry.SerialNumber))
	}
	recipe.Index = index.String()
	if unknown > 0 {
		recipe.Note = fmt.Sprintf("openssl does not know the reasons of %d entries, so they have none.", unknown)
	}
	return recipe.render(crlRecipe), nil
}

func newRevocationRecipe(c *CA) revocationRecipe {
	return revocationRecipe{
		CACert: shell.Quote(CertPath(c.Dir)), CAKey: shell.Quote(KeyPath(c.Dir)), Digest: digest(KeyName(c.Certificate.PublicKey)),
	}
}

func (r revocationRecipe) render(t *template.Template) string {
	var b bytes.Buffer
	if err := t.Execute(&b, r); err != nil {
		panic(err) // a fixed template on a struct of strings
	}
	return b.String()
}

// onOneLine keeps a name within its comment.
func onOneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
