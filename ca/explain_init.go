package ca

import (
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/shell"
)

// ExplainInit returns the openssl commands, for a POSIX shell, that make a CA
// like the one Init makes, or put an existing one in its place.
func ExplainInit(o InitOptions) (string, error) {
	if err := o.checkTogether(); err != nil {
		return "", err
	}
	o = o.withDefaults()
	switch {
	case o.isImport():
		return o.explainImport()
	case o.Parent != "":
		return o.explainIntermediate()
	}
	req, err := o.request()
	if err != nil {
		return "", err
	}
	now := o.Now.UTC()
	r := req.recipe(o, now.Add(-Backdate), now.Add(req.validity()))
	r.Title = "a self-signed CA in " + shell.Quote(o.Dir)
	r.Signer = "-selfsign -keyfile " + shell.Quote(KeyPath(o.Dir)) + r.PassIn
	r.Digest = digest(string(req.Key))
	return r.String(), nil
}

// explainIntermediate is for a parent with a key of the default kind where
// there is none yet.
func (o InitOptions) explainIntermediate() (string, error) {
	req, err := o.request()
	if err != nil {
		return "", err
	}
	parent := &CA{Dir: o.Parent, Certificate: &x509.Certificate{NotAfter: o.Now.Add(100 * Year), MaxPathLen: -1}}
	parentKey := string(ECDSAP256)
	if _, err := os.Stat(CertPath(o.Parent)); err == nil {
		if parent, err = Open(o.Parent); err != nil {
			return "", err
		}
		parentKey = KeyName(parent.Certificate.PublicKey)
	}
	if err := parent.checkPathLength(req.pathLength); err != nil {
		return "", err
	}
	if err := parent.nameCA(&req); err != nil {
		return "", err
	}
	notBefore, notAfter, err := parent.period(req.Request, o.Now, &Prepared{})
	if err != nil {
		return "", err
	}
	r := req.recipe(o, notBefore, notAfter)
	r.Title = fmt.Sprintf("a CA in %s that the one in %s signs", shell.Quote(o.Dir), shell.Quote(o.Parent))
	r.Signer = "-cert " + shell.Quote(CertPath(o.Parent)) + " -keyfile " + shell.Quote(KeyPath(o.Parent)) +
		opensslPass("-passin", o.OpenSSLPass)
	r.Digest = digest(parentKey)
	r.After = fmt.Sprintf("cat -- %s %s > %s", r.Cert, shell.Quote(BundlePath(o.Parent)), shell.Quote(ChainPath(o.Dir)))
	return r.String(), nil
}

// recipe is what all CAs have.
func (req caRequest) recipe(o InitOptions, notBefore, notAfter time.Time) recipe {
	r := recipe{
		Key:       shell.Quote(KeyPath(o.Dir)),
		Cert:      shell.Quote(CertPath(o.Dir)),
		Genpkey:   genpkey(req.Key),
		Subject:   shell.Quote(opensslSubject(req.Groups, req.CommonName)),
		Usage:     "keyCertSign,cRLSign",
		Start:     opensslTime(notBefore),
		End:       opensslTime(notAfter),
		CA:        true,
		Permitted: req.permitted.openssl(),
	}
	if o.NewPassphrase != nil {
		r.Encrypt = "-topk8 -v2 aes-256-cbc -v2prf hmacWithSHA256 -iter 600000" + opensslPass("-passout", o.OpenSSLPass)
		r.PassIn = opensslPass("-passin", o.OpenSSLPass)
	}
	if req.pathLength >= 0 {
		r.PathLength = strconv.Itoa(req.pathLength)
	}
	return r
}

// openssl writes the constraints as openssl.cnf has them: networks with a mask.
func (n permittedNames) openssl() string {
	var parts []string
	for _, domain := range n.dns {
		parts = append(parts, "permitted;DNS:"+domain)
	}
	for _, network := range n.networks() {
		parts = append(parts, fmt.Sprintf("permitted;IP:%s/%s", network.IP, net.IP(network.Mask)))
	}
	return strings.Join(parts, ",")
}

// explainPresented returns the command that puts the CAs between a certificate
// and the root behind it, nothing where there are none. The path is quoted.
func (c *CA) explainPresented(certPath string) string {
	switch n := len(c.Presented()); {
	case n == 0 || c.Certificate.Raw == nil:
		return ""
	case n == 1:
		return fmt.Sprintf("cat -- %s >> %s", shell.Quote(c.CertPath()), certPath)
	default:
		return fmt.Sprintf("awk '/BEGIN CERTIFICATE/ { n++ } n <= %d' %s >> %s", n, shell.Quote(filesOf(c.Dir, c.Name).chain), certPath)
	}
}

// explainImport is for a CA that may not be there yet, but for a directory,
// which says how its files are called.
func (o InitOptions) explainImport() (string, error) {
	src, err := o.importSource()
	if err != nil {
		return "", err
	}
	var b strings.Builder
	line := func(format string, args ...string) {
		quoted := make([]any, len(args))
		for i, arg := range args {
			quoted[i] = shell.Quote(arg)
		}
		fmt.Fprintf(&b, format+"\n", quoted...)
	}
	line("# the CA of %s in %s", src.cert, o.Dir)
	line(`[ "$(openssl x509 -in %s -noout -pubkey)" = "$(openssl pkey -in %s -pubout)" ] # they belong together`, src.cert, src.key)
	line("openssl x509 -in %s -noout -checkend 0 # it has not expired", src.cert)
	line("openssl x509 -in %s -noout -ext basicConstraints | grep CA:TRUE", src.cert)
	switch {
	case isSameFile(src.cert, CertPath(o.Dir)) && !isSameFile(src.key, KeyPath(o.Dir)):
		return "", failure.New(failure.Usage, "choose another directory with --dir", "%q has its key elsewhere, in %q", src.cert, src.key)
	case !isSameFile(src.cert, CertPath(o.Dir)):
		line("mkdir -p -m 700 -- %s", o.Dir)
		if o.NewPassphrase != nil {
			line("(umask 077; openssl pkcs8 -topk8 -v2 aes-256-cbc -v2prf hmacWithSHA256 -iter 600000 -in %s -out %s)", src.key, KeyPath(o.Dir))
		} else {
			line("(umask 077; openssl pkey -in %s -out %s)", src.key, KeyPath(o.Dir))
		}
		line("openssl x509 -in %s -out %s", src.cert, CertPath(o.Dir))
		if certs, err := readCertificates(src.cert); err == nil && len(chainAbove(certs[0], certs[1:])) > 0 {
			line("sed -n '/BEGIN CERTIFICATE/,/END CERTIFICATE/p' %s > %s", src.cert, ChainPath(o.Dir))
		}
	}
	if src.dir != "" {
		line("# what it has signed; openssl keeps no inventory of it\n"+
			`find %s -type f | while read -r file; do`+"\n"+
			`  if openssl verify -no_check_time -partial_chain -CAfile %s -- "$file" >/dev/null 2>&1; then`+"\n"+
			`    openssl x509 -in "$file" -noout -serial -enddate -subject`+"\n"+
			"  fi\ndone", src.dir, CertPath(o.Dir))
	}
	return b.String(), nil
}
