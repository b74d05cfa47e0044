package ca

import (
	"bytes"
	"cmp"
	"slices"
	"strings"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/shell"
)

// ExportForm is a form in which one file holds a key and its certificate.
type ExportForm string

// The forms.
const (
	// ExportPKCS12 is a PKCS#12 file (RFC 7292) under a password.
	ExportPKCS12 ExportForm = "p12"
	// ExportPEM is key, certificate and intermediates in PEM, one after the
	// other.
	ExportPEM ExportForm = "pem"
	// ExportTLSSecret is a Kubernetes Secret of type kubernetes.io/tls.
	ExportTLSSecret ExportForm = "tls-secret"
	// ExportOpaqueSecret is a Kubernetes Secret of type Opaque.
	ExportOpaqueSecret ExportForm = "opaque-secret"
)

// ExportName is what the password of a PKCS#12 file is asked for as.
const ExportName = "the PKCS#12 file"

// ExportForms lists the forms.
func ExportForms() []ExportForm {
	return []ExportForm{ExportPKCS12, ExportPEM, ExportTLSSecret, ExportOpaqueSecret}
}

// ParseExportForm returns the form with that name, and whether there is one.
func ParseExportForm(name string) (ExportForm, bool) {
	if form := ExportForm(name); slices.Contains(ExportForms(), form) {
		return form, true
	}
	return "", false
}

// IsSecret says whether the form is a Kubernetes Secret.
func (f ExportForm) IsSecret() bool { return f == ExportTLSSecret || f == ExportOpaqueSecret }

// Title returns the form in words.
func (f ExportForm) Title() string {
	switch f {
	case ExportPKCS12:
		return "PKCS#12"
	case ExportPEM:
		return "PEM bundle"
	case ExportTLSSecret:
		return "TLS Secret"
	}
	return "Opaque Secret"
}

// Extension returns how names of files in that form end.
func (f ExportForm) Extension() string {
	if f.IsSecret() {
		return ".secret.yaml"
	}
	return "." + string(f)
}

// Export says how a credential becomes one file. What is encoded holds the
// private key: it is written with mode 0600.
type Export struct {
	Form     ExportForm
	Password []byte // of a PKCS#12 file; never empty there

	Name      string // of a Secret
	Namespace string // of a Secret; may be empty
	// Kubeconfig is one more entry of an Opaque Secret; may be nil.
	Kubeconfig []byte
}

// Validate checks what a user says of a Secret or of the password.
func (e Export) Validate() error {
	switch {
	case e.Form.IsSecret():
		return checkSecretName(e.Name, e.Namespace)
	case e.Form == ExportPKCS12:
		return checkPKCS12Password(e.Password)
	}
	return nil
}

// Encode returns the credential in that form.
func (e Export) Encode(c Credential) ([]byte, error) {
	if len(c.KeyPEM) == 0 {
		return nil, failure.New(failure.Usage, "take the certificate as it is, in PEM",
			"there is no private key here to write as %s", e.Form)
	}
	switch e.Form {
	case ExportPKCS12:
		return encodePKCS12(c, e.Password)
	case ExportPEM:
		return slices.Concat(c.KeyPEM, c.CertPEM), nil
	case ExportTLSSecret, ExportOpaqueSecret:
		return e.secret(c)
	}
	return nil, failure.New(failure.Usage, "choose one of "+exportFormNames(), "unknown form %q", e.Form)
}

func exportFormNames() string {
	var names []string
	for _, form := range ExportForms() {
		names = append(names, string(form))
	}
	return strings.Join(names, ", ")
}

// ExportPaths are the files that a recipe names.
type ExportPaths struct {
	Dir      string // PKI directory
	Prefix   string // of PREFIX.crt and PREFIX.key
	Cert     string // the certificate's file, where it is not PREFIX.crt
	Key      string // the key's, where it is not PREFIX.key
	File     string // where the export goes; empty: standard output
	Password string // argument of openssl -passout; empty: openssl asks
	// Kubeconfig goes into an Opaque Secret; may be empty.
	Kubeconfig string
}

// Explain returns the openssl or kubectl commands, for a POSIX shell, that
// make the export from the files of key, certificate and CA.
func (e Export) Explain(p ExportPaths) string {
	var b bytes.Buffer
	b.WriteString("# the same as one file: " + string(e.Form) + "\n(umask 077\n")
	cert, key := shell.Quote(cmp.Or(p.Cert, p.Prefix+".crt")), shell.Quote(cmp.Or(p.Key, p.Prefix+".key"))
	switch e.Form {
	case ExportPKCS12:
		b.WriteString(explainPKCS12(p, cert, key))
	case ExportPEM:
		b.WriteString("cat " + key + " " + cert)
	default:
		b.WriteString(e.explainSecret(p, cert, key))
	}
	if p.File != "" {
		b.WriteString(" > " + shell.Quote(p.File))
	}
	b.WriteString(")\n")
	return b.String()
}

// BundlePath returns the path of the file that holds what CA.Bundle returns.
func BundlePath(dir string) string {
	if found, err := Open(dir); err == nil && len(found.Chain) > 0 {
		return ChainPath(dir)
	}
	return CertPath(dir)
}
