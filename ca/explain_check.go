package ca

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/pkictl/pkictl/internal/shell"
)

// ExplainList returns the openssl commands, for a POSIX shell, that show what
// List does, as far as files can tell: openssl knows of no inventory.
func ExplainList(o ListOptions) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# the certificates in the files of %s; openssl knows no others\n", shell.Quote(o.Dir))
	fmt.Fprintf(&b, "find %s -name '*.crt' | while read -r file; do\n", shell.Quote(o.Dir))
	if o.Expiring > 0 {
		fmt.Fprintf(&b, "  openssl x509 -in \"$file\" -noout -checkend %d >/dev/null ||\n  ", int64(o.Expiring/time.Second))
	}
	b.WriteString("  openssl x509 -in \"$file\" -noout -subject -serial -enddate")
	for _, wanted := range []struct{ attribute, value string }{{"O", o.Group}, {"CN", o.CommonName}} {
		if wanted.value != "" {
			fmt.Fprintf(&b, " | grep -A2 -F -- %s", shell.Quote(wanted.attribute+" = "+wanted.value))
		}
	}
	b.WriteString("\ndone\n")
	return b.String()
}

// ExplainVerify returns the openssl commands, for a POSIX shell, that check the
// certificate in certPath as Verify does; keyPath and crlPath may be empty.
func ExplainVerify(o VerifyOptions, certPath, keyPath, crlPath string) string {
	cert := shell.Quote(certPath)
	command := "openssl verify -x509_strict -attime " + fmt.Sprint(o.Now.Unix()) +
		" -CAfile " + shell.Quote(BundlePath(o.Dir)) + " -untrusted " + cert
	switch o.Purpose {
	case PurposeClient:
		command += " -purpose sslclient"
	case PurposeServer:
		command += " -purpose sslserver"
	}
	if _, err := netip.ParseAddr(o.Host); err == nil {
		command += " -verify_ip " + shell.Quote(o.Host)
	} else if o.Host != "" {
		command += " -verify_hostname " + shell.Quote(o.Host)
	}
	if crlPath != "" {
		command += " -crl_check -CRLfile " + shell.Quote(crlPath)
	}
	recipe := "# chain, time, usage, host and revocation list; openssl knows of no inventory\n" + command + " " + cert + "\n"
	if keyPath != "" {
		recipe += fmt.Sprintf("[ \"$(openssl x509 -in %s -noout -pubkey)\" = \"$(openssl pkey -in %s -pubout)\" ] # the key is its own\n",
			cert, shell.Quote(keyPath))
	}
	return recipe
}

// ExplainLint returns the commands that look for the same mistakes, but those
// that matter to Kubernetes alone.
func ExplainLint(paths []string) string {
	sources := make([]string, len(lintSources))
	for i, source := range lintSources {
		sources[i] = string(source)
	}
	var b strings.Builder
	b.WriteString("# zlint's own command, and what to read by eye: usages, names, key, times\n")
	for _, path := range paths {
		quoted := shell.Quote(path)
		fmt.Fprintf(&b, "zlint -pretty -includeSources %s %s\n", strings.Join(sources, ","), quoted)
		fmt.Fprintf(&b, "openssl x509 -in %s -noout -text\n", quoted)
	}
	return b.String()
}
