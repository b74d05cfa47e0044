package ca

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"strings"
	"text/template"
	"time"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/shell"
)

// recipe is what the template of the openssl commands is filled with.
type recipe struct {
	Title     string
	Key, Cert string // paths of the results
	Genpkey   string // arguments of openssl genpkey; empty: the key is there
	Old       string // path of the certificate whose subject is taken; empty: Subject is
	OldPEM    string // that certificate, where it is in no file of its own
	Encrypt   string // arguments of openssl pkcs8; empty: the key is not encrypted
	PassIn    string // of the key, with a blank before it
	Subject   string // argument of -subj
	Usage     string
	Extended  string
	Names     string
	Signer    string // arguments that name the signing key
	Digest    string
	Start     string
	End       string
	CA        bool
	Request   string   // path of somebody else's request; empty: one is made
	DER       bool     // the request is in DER form
	Addresses []string // of the CA: lines of extensions
	// PathLength and Permitted are limits of a CA, as openssl.cnf has them.
	PathLength string
	Permitted  string
	After      string // commands that complete the files
}

// openssl x509 takes its validity in whole days from now; openssl ca takes
// both ends to the second, so that the recipe gives the same certificate.
var recipeTemplate = template.Must(template.New("recipe").Parse(`# {{.Title}}
work=$(mktemp -d)
{{- with .OldPEM}}
cat > "$work/old.crt" <<'EOF'
{{.}}EOF
{{- end}}
{{- if .CA}}
mkdir -p -m 700 -- "$(dirname -- {{.Key}})"
{{- end}}
cat > "$work/openssl.cnf" <<'EOF'
[req]
distinguished_name = subject
string_mask = utf8only
[subject]
[ca]
default_ca = issue
[issue]
database = $ENV::work/index.txt
new_certs_dir = $ENV::work
unique_subject = no
rand_serial = yes
policy = any
x509_extensions = extensions
[any]
organizationName = optional
commonName = supplied
[extensions]
basicConstraints = critical,CA:{{if .CA}}TRUE{{else}}FALSE{{end}}{{with .PathLength}},pathlen:{{.}}{{end}}
{{- with .Usage}}
keyUsage = critical,{{.}}
{{- end}}
{{- with .Extended}}
extendedKeyUsage = {{.}}
{{- end}}
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid:always
{{- with .Names}}
subjectAltName = {{.}}
{{- end}}
{{- range .Addresses}}
{{.}}
{{- end}}
{{- with .Permitted}}
nameConstraints = critical,{{.}}
{{- end}}
EOF
export work; : > "$work/index.txt"
{{- if .Genpkey}}{{if not .Request}}
(umask 077; openssl genpkey {{.Genpkey}}{{with .Encrypt}} | \
  openssl pkcs8 {{.}}{{end}} -out {{.Key}})
{{- end}}{{end}}
{{- if .Old}}
openssl x509 -x509toreq -in {{.Old}} -signkey {{.Key}} -out "$work/request.csr" 2>/dev/null
{{- else if not .Request}}
openssl req -new -utf8 -config "$work/openssl.cnf" -key {{.Key}}{{.PassIn}} -subj {{.Subject}} -out "$work/request.csr"
{{- end}}
openssl ca -batch -notext -preserveDN -utf8 -config "$work/openssl.cnf" \
  {{.Signer}} -md {{.Digest}} \
  -startdate {{.Start}} -enddate {{.End}}{{if .Request}} -subj {{.Subject}}{{if .DER}} -inform DER{{end}} -in {{.Request}}{{else}} -in "$work/request.csr"{{end}} -out {{.Cert}}
{{- with .After}}
{{.}}
{{- end}}
rm -r -- "$work"
`))

func (r recipe) String() string {
	var b bytes.Buffer
	if err := recipeTemplate.Execute(&b, r); err != nil {
		panic(err) // a fixed template on a struct of strings
	}
	return b.String()
}

// ExplainIssue returns the openssl commands, for a POSIX shell, that make a
// certificate like the one Issue makes. Where there is no CA yet they are for
// one with a key of the default kind.
func ExplainIssue(o IssueOptions) (string, error) {
	if o.Dir == "" {
		o.Dir = DefaultDir
	}
	req, err := o.Request()
	if err != nil {
		return "", err
	}
	signerKey := string(ECDSAP256)
	authority := &CA{Dir: o.Dir, Certificate: &x509.Certificate{
		NotAfter: o.Now.Add(100 * Year),
	}}
	if found, err := Open(o.Dir); err == nil {
		authority, signerKey = found, KeyName(found.Certificate.PublicKey)
	}
	r, err := authority.recipe(req, signerKey, o.Now, o.OpenSSLPass)
	if err != nil {
		return "", err
	}
	r.Title = fmt.Sprintf("a %s certificate for %s", req.Profile.Name(), shell.Quote(req.CommonName))
	r.Key, r.Cert = shell.Quote(o.Prefix()+".key"), shell.Quote(o.Prefix()+".crt")
	r.After = authority.explainPresented(r.Cert)
	if o.foreign != nil {
		r.Request, r.DER = "/dev/stdin", o.foreign.request.isDER
		if path := o.foreign.request.path; path != "" {
			r.Request = shell.Quote(path)
		}
	}
	return r.String(), nil
}

// recipe fills in what a request says, and who signs it with a key of what
// kind.
func (c *CA) recipe(req Request, signerKey string, now time.Time, pass string) (recipe, error) {
	notBefore, notAfter, err := c.period(req, now, &Prepared{})
	if err == nil {
		err = req.checkLimits(now, notAfter)
	}
	if err == nil && (len(req.Profile.raw.Policies) > 0 || req.Profile.raw.OCSPNoCheck) {
		err = failure.New(failure.Failed, "leave --explain out", "there is no recipe for the certificate policies of %s", req.Profile)
	}
	return recipe{
		Genpkey:   genpkey(req.Key),
		Subject:   shell.Quote(opensslSubject(req.Groups, req.CommonName)),
		Usage:     opensslUsage(req),
		Addresses: opensslAddresses(req.Profile),
		Extended:  opensslExtended(req.Profile),
		Names:     opensslNames(req.SANs),
		Signer: "-cert " + shell.Quote(c.CertPath()) + " -keyfile " + shell.Quote(c.KeyPath()) +
			opensslPass("-passin", pass),
		Digest: digest(signerKey),
		Start:  opensslTime(notBefore),
		End:    opensslTime(notAfter),
	}, err
}

// opensslPass is the argument that says where a passphrase is. Without one
// openssl asks for it if it needs it.
func opensslPass(flag, source string) string {
	if source == "" {
		return ""
	}
	return " " + flag + " " + shell.Quote(source)
}

func opensslTime(t time.Time) string { return t.UTC().Format("20060102150405Z") }

func genpkey(kind KeyKind) string {
	switch kind {
	case ECDSAP256:
		return "-algorithm EC -pkeyopt ec_paramgen_curve:P-256"
	case ECDSAP384:
		return "-algorithm EC -pkeyopt ec_paramgen_curve:P-384"
	case Ed25519:
		return "-algorithm ED25519"
	}
	return "-algorithm RSA -pkeyopt rsa_keygen_bits:" + strings.TrimPrefix(string(kind), "rsa-")
}

// digest is what crypto/x509 takes for a signing key of that kind.
func digest(kind string) string {
	switch KeyKind(kind) {
	case ECDSAP384:
		return "sha384"
	case Ed25519:
		return "default"
	}
	return "sha256"
}

// opensslSubject writes a subject for -subj, where / + and \ need a backslash.
func opensslSubject(groups []string, commonName string) string {
	escape := strings.NewReplacer(`\`, `\\`, `/`, `\/`, `+`, `\+`)
	var b strings.Builder
	for _, group := range groups {
		b.WriteString("/O=" + escape.Replace(group))
	}
	return b.String() + "/CN=" + escape.Replace(commonName)
}

// opensslKeyUsages are the names of the bits of a key usage, opensslExtendedUsages
// those of extended usages, in openssl.cnf (x509v3_config).
var (
	opensslKeyUsages = []string{
		"digitalSignature", "nonRepudiation", "keyEncipherment", "dataEncipherment", "keyAgreement",
		"keyCertSign", "cRLSign", "encipherOnly", "decipherOnly",
	}
	opensslExtendedUsages = map[x509.ExtKeyUsage]string{
		x509.ExtKeyUsageAny: "anyExtendedKeyUsage", x509.ExtKeyUsageServerAuth: "serverAuth", x509.ExtKeyUsageClientAuth: "clientAuth",
		x509.ExtKeyUsageCodeSigning: "codeSigning", x509.ExtKeyUsageEmailProtection: "emailProtection",
		x509.ExtKeyUsageIPSECEndSystem: "ipsecEndSystem", x509.ExtKeyUsageIPSECTunnel: "ipsecTunnel", x509.ExtKeyUsageIPSECUser: "ipsecUser",
		x509.ExtKeyUsageTimeStamping: "timeStamping", x509.ExtKeyUsageOCSPSigning: "OCSPSigning",
		x509.ExtKeyUsageMicrosoftServerGatedCrypto: "msSGC", x509.ExtKeyUsageNetscapeServerGatedCrypto: "nsSGC",
	}
)

func opensslUsage(req Request) string {
	pub := req.PublicKey
	if pub == nil && strings.HasPrefix(string(req.Key), "rsa-") {
		pub = &rsa.PublicKey{} // its kind is all that counts
	}
	usage := req.usage(pub)
	var names []string
	for bit, name := range opensslKeyUsages {
		if usage&(1<<bit) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, ",")
}

func opensslExtended(p Profile) string {
	_, extended, _ := p.raw.Usages()
	names := make([]string, len(extended))
	for i, usage := range extended {
		names[i] = opensslExtendedUsages[usage]
	}
	return strings.Join(names, ",")
}

// opensslAddresses are the lines of the extensions that crypto/x509 makes of a
// profile's addresses.
func opensslAddresses(p Profile) []string {
	var lines, access []string
	if p.raw.OCSP != "" {
		access = append(access, "OCSP;URI:"+p.raw.OCSP)
	}
	for _, url := range p.raw.IssuerURL {
		access = append(access, "caIssuers;URI:"+url)
	}
	if access != nil {
		lines = append(lines, "authorityInfoAccess = "+strings.Join(access, ","))
	}
	if p.raw.CRL != "" {
		lines = append(lines, "crlDistributionPoints = URI:"+p.raw.CRL)
	}
	return lines
}

func opensslNames(sans SANs) string {
	var names []string
	add := func(kind string, values ...string) {
		for _, value := range values {
			names = append(names, kind+":"+value)
		}
	}
	// The order in which crypto/x509 encodes them.
	add("DNS", sans.DNS...)
	add("email", sans.Emails...)
	for _, ip := range sans.IPs {
		add("IP", ip.String())
	}
	for _, uri := range sans.URIs {
		add("URI", uri.String())
	}
	return strings.Join(names, ",")
}
