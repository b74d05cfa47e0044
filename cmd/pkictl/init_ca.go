package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/pkictl/pkictl/ca"
)

func (a *app) initCACmd() *cobra.Command {
	var o ca.InitOptions
	var explain bool
	cmd := &cobra.Command{
		Use:   "init-ca",
		Short: "Make a root certificate authority",
		Long: `Make a root certificate authority: a key and a self-signed certificate, as
ca.key and ca.crt in the PKI directory. An existing one is never overwritten.

Whoever has ca.key can make themselves administrator of every cluster that
trusts ca.crt. It is written with mode 0600; keep a backup offline.`,
		Example: `  pkictl init-ca
  pkictl init-ca --dir pki/etcd --cn etcd-ca --key rsa-2048 --validity 5y
  pkictl init-ca --explain`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.Dir, o.Now, o.Waiting = a.dir, a.now(), a.waiting
			if explain {
				return a.explain(ca.ExplainInit(o))
			}
			result, err := ca.Init(cmd.Context(), o)
			if err != nil {
				return err
			}
			a.warn(result.Warnings...)
			return a.printCA(result, o.DryRun)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.CommonName, "cn", ca.DefaultCommonName, "common `NAME`")
	flags.StringArrayVar(&o.Organizations, "org", nil, "`ORGANIZATION`; may be given several times")
	flags.StringVar(&o.Key, "key", string(ca.ECDSAP256), "`KIND` of key: "+keyKinds())
	flags.StringVar(&o.Validity, "validity", "10y", "`TIME` for which it is valid, as in 10y or 3650d")
	addDryRun(cmd, &o.DryRun)
	addExplain(cmd, &explain)
	complete(cmd, "key", keyKindNames()...)
	return cmd
}

type caResult struct {
	typeMeta
	Subject           string    `json:"subject"`
	Key               string    `json:"key"`
	Serial            string    `json:"serial"`
	NotBefore         time.Time `json:"notBefore"`
	NotAfter          time.Time `json:"notAfter"`
	FingerprintSHA256 string    `json:"fingerprintSHA256"`
	CertificateFile   string    `json:"certificateFile"`
	KeyFile           string    `json:"keyFile"`
	DryRun            bool      `json:"dryRun,omitempty"`
}

func (a *app) printCA(r *ca.InitResult, dryRun bool) error {
	cert := r.Certificate
	result := caResult{
		typeMeta: kind("CertificateAuthority"),
		Subject:  ca.FormatName(cert.RawSubject), Key: ca.KeyName(cert.PublicKey), Serial: ca.FormatSerial(cert.SerialNumber),
		NotBefore: cert.NotBefore, NotAfter: cert.NotAfter, FingerprintSHA256: ca.Fingerprint(cert),
		CertificateFile: r.CertPath, KeyFile: r.KeyPath, DryRun: dryRun,
	}
	return a.print(result, func(w io.Writer) {
		if dryRun {
			fmt.Fprintln(w, "Would make a certificate authority (dry run: nothing was written)")
		} else {
			fmt.Fprintln(w, "Made a certificate authority")
		}
		printRows(w, "  ",
			row{"subject", result.Subject},
			row{"key", result.Key},
			row{"ends", ends(cert.NotAfter, a.now())},
			row{"SHA-256", result.FingerprintSHA256},
			row{"certificate", r.CertPath},
			row{"private key", r.KeyPath},
		)
	})
}

// explain prints a recipe.
func (a *app) explain(recipe string, err error) error {
	if err != nil {
		return err
	}
	_, err = io.WriteString(a.out, recipe)
	return err
}

func addDryRun(cmd *cobra.Command, flag *bool) {
	cmd.Flags().BoolVar(flag, "dry-run", false, "check everything, sign and write nothing")
}

func addExplain(cmd *cobra.Command, flag *bool) {
	cmd.Flags().BoolVar(flag, "explain", false, "print the openssl commands that give the same result, and do nothing else")
}
