package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/csr"
	"github.com/pkictl/pkictl/internal/kubeclient"
)

type csrSignFlags struct {
	csr.SignOptions
	max     string
	explain bool
}

func (a *app) csrSignCmd() *cobra.Command {
	var f csrSignFlags
	var conn *connection
	cmd := &cobra.Command{
		Use:   "sign NAME...",
		Short: "Sign approved requests of an own signer with the local CA",
		Long: `Sign certificate signing requests that were approved with the CA in the PKI
directory, and give the certificates to the cluster. It serves any signer but
those of Kubernetes, which kube-controller-manager serves.

The profile is the one that gives the usages of the request: client, server or
peer; other usages are refused. The certificate has the lifetime that is asked
for, at most --max-validity, and never beyond the end of the CA. What "pkictl
issue --csr" refuses is refused here, and allowed by the same names.

The certificate is in the inventory, and in a file of the PKI directory, before
the cluster has it. If that is interrupted, run it again: it sends the same
certificate.`,
		Example: `  pkictl csr new cathy.example.com --dns cathy.example.com
  pkictl csr submit cathy.example.com.csr --name cathy --signer example.com/web --usage "digital signature" --usage "server auth"
  pkictl csr approve cathy --yes
  pkictl csr sign cathy
  pkictl csr wait cathy --out cathy.example.com.crt`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return a.csrSign(cmd, args, conn, f) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.max, "max-validity", ca.FormatValidity(ca.DefaultValidity), "`TIME` for which a certificate is valid at most")
	flags.StringArrayVar(&f.Allow, "allow", nil, "let a request have what is refused otherwise, by `NAME`: "+strings.Join(ca.Allowances(), ", ")+", name:NAME, group:NAME")
	flags.BoolVar(&f.AllowBuiltin, "allow-builtin", false, "also sign for kubernetes.io/kube-apiserver-client and the kubelet's signers")
	f.Passphrase = remembered(a.addPassphrase(cmd))
	flags.BoolVar(&f.DryRun, "dry-run", false, "check everything, here and by the API server, and sign nothing")
	flags.BoolVar(&f.explain, "explain", false, "print the kubectl and openssl commands that give the same result, and do nothing else")
	conn = addConnection(cmd)
	complete(cmd, "allow", append(ca.Allowances(), reservedNames...)...)
	return cmd
}

// remembered asks for a passphrase once, however often it is needed.
func remembered(ask ca.Passphrase) ca.Passphrase {
	var known []byte
	return func(name string) ([]byte, error) {
		if known == nil {
			passphrase, err := ask(name)
			if err != nil {
				return nil, err
			}
			known = passphrase
		}
		return bytes.Clone(known), nil // who gets it overwrites it
	}
}

type csrSigned struct {
	csrResult
	Profile string `json:"profile"`
	Serial  string `json:"serial,omitempty"`
	Found   bool   `json:"signedBefore"`
	DryRun  bool   `json:"dryRun,omitempty"`
}

type csrSignResult struct {
	typeMeta
	Items []csrSigned `json:"items"`
}

func (a *app) csrSign(cmd *cobra.Command, names []string, conn *connection, f csrSignFlags) error {
	f.Dir, f.Now, f.Waiting = a.dir, a.now(), a.waiting
	var err error
	if f.Max, err = ca.ParseValidity(f.max); err != nil {
		return err
	}
	if _, err := ca.Open(f.Dir); err != nil {
		return err
	}
	client, err := a.connect(conn)
	if err != nil {
		return err
	}
	if f.explain {
		return a.explainSign(cmd, client, names, conn.kubectl(), f)
	}
	result := csrSignResult{typeMeta: kind("CertificateSigningRequestList"), Items: []csrSigned{}}
	var failed []error
	for _, name := range names {
		signed, err := csr.Sign(cmd.Context(), client, name, f.SignOptions)
		if err != nil {
			failed = append(failed, err)
			continue
		}
		a.warn(signed.Warnings...)
		result.Items = append(result.Items, newCSRSigned(signed, f.DryRun))
	}
	if len(names) == 1 && failed != nil {
		return failed[0]
	}
	if err := a.print(result, func(w io.Writer) { a.printSigned(w, result.Items) }); err != nil {
		return err
	}
	return a.severalFailed(failed, len(names), "were not signed")
}

func (a *app) explainSign(cmd *cobra.Command, client *kubeclient.Client, names []string, kubectl string, f csrSignFlags) error {
	for _, name := range names {
		object, err := csr.Get(cmd.Context(), client, name)
		if err != nil {
			return err
		}
		if err := a.explain(csr.ExplainSign(object, f.SignOptions, kubectl, a.opensslPass(a.passphraseFile, envVariable))); err != nil {
			return err
		}
	}
	return nil
}

func newCSRSigned(signed *csr.SignResult, dryRun bool) csrSigned {
	r := csrSigned{csrResult: newCSRResult(signed.Object), Profile: signed.Profile, Found: signed.Found, DryRun: dryRun}
	if !dryRun {
		r.Serial, r.CertificateFile = ca.FormatSerial(signed.Certificate.SerialNumber), signed.CertPath
	}
	return r
}

func (a *app) printSigned(w io.Writer, items []csrSigned) {
	for _, r := range items {
		first := "Signed "
		switch {
		case r.DryRun:
			first = "Dry run: nothing was signed. It would sign "
		case r.Found:
			first = "Signed before, and sent again: "
		}
		fmt.Fprintln(w, first+printable(r.Name))
		a.printCSR(w, r.csrResult, row{"profile", r.Profile}, row{"serial", r.Serial})
	}
}
