package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
)

// verifyFlags are the flags of verify as they are written.
type verifyFlags struct {
	host    string
	purpose string
	key     string
	at      string
	crl     string
	explain bool

	passphrase ca.Passphrase
}

func (a *app) verifyCmd() *cobra.Command {
	var f verifyFlags
	cmd := &cobra.Command{
		Use:   "verify FILE|-|NAME",
		Short: "Check a certificate or kubeconfig against the CA",
		Long: `Check a certificate against the CA in the PKI directory: the chain, the time,
what it may be used for, the host, the key, what the inventory says of it, and
whether it is on a revocation list: that of --crl, or ca.crl in the PKI directory
where there is one. Each check is a line: ok, FAIL, or - where it was not made.

The first certificate of the file is checked; those behind it may stand
between it and the CA. A word that names no file is a certificate in the PKI
directory, or in the inventory. The key is that of --key, or FILE with .key in
place of .crt, or one in the same file, as in a PKCS#12 file. The passphrase of
an encrypted key is asked for if it is that of --key.

Of a kubeconfig, the client certificate of the current context is checked as a
client's, with its key, and that the cluster's CA is the one in the PKI
directory.

Exit codes: 0 all checks passed, 3 one failed, 1 it could not be checked.`,
		Example: `  pkictl init-ca
  pkictl issue --cn kube-admin --group system:masters
  pkictl verify kube-admin
  pkictl verify pki/kube-admin.crt --purpose client --key pki/kube-admin.key
  pkictl issue --cn etcd --profile peer --dns etcd.local --ip 10.0.0.10
  pkictl verify etcd --host etcd.local --purpose server
  pkictl issue --cn jane --kubeconfig jane.conf --server https://10.0.0.10:6443
  pkictl verify jane.conf -o json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return a.verify(cmd, args[0], f) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.host, "host", "", "DNS name or IP address of a `HOST` that it must be good for")
	flags.StringVar(&f.purpose, "purpose", "", "`PURPOSE` it must be good for: client, server or any (default what it says itself)")
	flags.StringVar(&f.key, "key", "", "`FILE` of its private key (default the one beside it)")
	flags.StringVar(&f.crl, "crl", "", "`FILE` with the revocation list of its issuer (default ca.crl in the PKI directory, if it is there)")
	flags.StringVar(&f.at, "at", "", "`TIME` at which to check, as in 2027-01-31T00:00:00Z (default now)")
	f.passphrase = a.addPassphrase(cmd)
	addExplain(cmd, &f.explain)
	complete(cmd, "purpose", ca.Purposes()...)
	return cmd
}

func (a *app) verify(cmd *cobra.Command, arg string, f verifyFlags) error {
	o, err := f.options(a.now())
	if err != nil {
		return err
	}
	o.Dir = a.dir
	if strings.Contains(arg, "://") {
		return failure.New(failure.Usage, "see what a server presents, and whether it verifies, with: pkictl inspect URL",
			"verify takes a file or a name, not the URL %q", arg)
	}
	authority, err := ca.Open(a.dir)
	if err != nil {
		return err
	}
	src, err := a.load(cmd.Context(), arg)
	if err != nil {
		return err
	}
	if f.explain {
		return a.explainVerify(src, o, f)
	}
	add, err := src.fill(&o, keyFile{f.key, f.passphrase}, authority)
	if err != nil {
		return err
	}
	if f.crl != "" {
		if o.CRL, err = ca.ReadCRL(f.crl); err != nil {
			return err
		}
	}
	v, err := ca.Verify(cmd.Context(), o)
	if err != nil {
		return err
	}
	for _, check := range add {
		v.Add(check)
	}
	if err := a.printVerification(v, src.name); err != nil {
		return err
	}
	if !v.OK {
		return errFound
	}
	return nil
}

// explainVerify prints a recipe for a certificate in a file.
func (a *app) explainVerify(src *source, o ca.VerifyOptions, f verifyFlags) error {
	if src.path == "" || len(ca.Certificates(src.items)) == 0 {
		return failure.New(failure.Usage, "name a file with a certificate", "there is no recipe for %q: it is no certificate in a file", src.name)
	}
	key, crl := f.key, f.crl
	if beside, has := src.keyBeside(); key == "" && has {
		key = beside
	}
	if path := ca.CRLPath(a.dir); crl == "" {
		if _, err := os.Stat(path); err == nil {
			crl = path
		}
	}
	return a.explain(ca.ExplainVerify(o, src.path, key, crl), nil)
}

// options checks the flags.
func (f verifyFlags) options(now time.Time) (ca.VerifyOptions, error) {
	o := ca.VerifyOptions{Host: f.host, Now: now}
	var err error
	if o.Purpose, err = ca.ParsePurpose(f.purpose); err != nil {
		return o, err
	}
	if f.host != "" && !isHost(f.host) {
		return o, failure.New(failure.Usage, "write a DNS name or an IP address, without scheme and port", "%q is not a host", f.host)
	}
	if f.at != "" {
		if o.Now, err = time.Parse(time.RFC3339, f.at); err != nil {
			return o, failure.New(failure.Usage, "write it like 2027-01-31T00:00:00Z (RFC 3339)", "%q is not a time", f.at)
		}
	}
	return o, nil
}

// isHost keeps out what people write who think of an address or a URL.
func isHost(host string) bool {
	if net.ParseIP(strings.Trim(host, "[]")) != nil {
		return true
	}
	return !strings.ContainsAny(host, "/: @*")
}

type verificationResult struct {
	typeMeta
	Source string `json:"source"`
	*ca.Verification
}

func (a *app) printVerification(v *ca.Verification, name string) error {
	result := verificationResult{kind("Verification"), name, v}
	return a.print(result, func(w io.Writer) {
		fmt.Fprintf(w, "%s (%s)\n", printable(v.Subject), printable(name))
		printChecks(w, "  ", v.Checks)
	})
}
