package main

import (
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
)

type crlFlags struct {
	ca.CRLOptions
	explain bool
}

func (a *app) crlCmd() *cobra.Command {
	var f crlFlags
	cmd := &cobra.Command{
		Use:   "crl",
		Short: "Sign the revocation list of the CA",
		Long: `Sign a list of what the inventory has as revoked, with times and reasons
(RFC 5280), and write it to ca.crl in the PKI directory in one step. A certificate
stays on it until the first list after its end. The number of each list is above
that of all before, whatever was killed or restored.

Make a new one before the next update: who reads lists refuses everything once
it is past. etcd wants the list in DER form, and with one in PEM refuses everybody.
An API server reads none; see: pkictl revoke --help.`,
		Example: `  pkictl init-ca
  pkictl issue --cn jane
  pkictl revoke jane --reason key-compromise --yes
  pkictl crl
  pkictl crl --next-update 24h --out - > copy.crl
  pkictl crl --der --out etcd.crl
  pkictl verify jane --crl pki/ca.crl || true`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.crl(cmd, f) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.Out, "out", "", "`FILE` to write, - for standard output (default ca.crl in the PKI directory)")
	flags.StringVar(&f.NextUpdate, "next-update", "", "`TIME` until there is a new list, as in 24h (default 7d, or until the CA ends)")
	flags.BoolVar(&f.DER, "der", false, "write DER, which etcd wants, not PEM")
	f.Passphrase = a.addPassphrase(cmd)
	addDryRun(cmd, &f.DryRun)
	addExplain(cmd, &f.explain)
	return cmd
}

func (a *app) crl(cmd *cobra.Command, f crlFlags) error {
	f.Dir, f.Now, f.Waiting = a.dir, a.now(), a.waiting
	if f.Out == "-" && a.output != "text" {
		return failure.New(failure.Usage, "leave one of them out", "--out - and --output %s both take standard output", a.output)
	}
	if f.explain {
		return a.explain(ca.ExplainCRL(cmd.Context(), f.CRLOptions))
	}
	result, err := ca.SignCRL(cmd.Context(), f.CRLOptions)
	if err != nil {
		return err
	}
	a.warn(result.Warnings...)
	if result.Path == "" && !f.DryRun {
		_, err := a.out.Write(result.Data)
		return err
	}
	return a.printCRL(f, result)
}

type crlResult struct {
	typeMeta
	Issuer     string    `json:"issuer"`
	Number     string    `json:"number"` // hexadecimal, as OpenSSL prints it
	ThisUpdate time.Time `json:"thisUpdate"`
	NextUpdate time.Time `json:"nextUpdate"`
	Count      int       `json:"count"`
	File       string    `json:"file,omitempty"`
	DryRun     bool      `json:"dryRun,omitempty"`
}

func (a *app) printCRL(f crlFlags, r *ca.CRLResult) error {
	result := crlResult{
		kind("CertificateRevocationList"), r.Issuer, ca.FormatSerial(r.Number), r.ThisUpdate, r.NextUpdate,
		len(r.Entries), r.Path, f.DryRun,
	}
	return a.print(result, func(w io.Writer) {
		if f.DryRun {
			fmt.Fprintln(w, "Would sign the revocation list (dry run: nothing was signed or written)")
		} else {
			fmt.Fprintln(w, "Signed the revocation list")
		}
		printRows(w, "  ",
			row{"issuer", r.Issuer},
			row{"number", result.Number},
			row{"revoked", strconv.Itoa(result.Count)},
			row{"this update", utc(r.ThisUpdate)},
			row{"next update", ends(r.NextUpdate, a.now())},
			row{"file", r.Path},
		)
	})
}
