package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
)

func (a *app) initCACmd() *cobra.Command {
	var o ca.InitOptions
	var explain bool
	var newPassphrase func() ca.Passphrase
	cmd := &cobra.Command{
		Use:   "init-ca",
		Short: "Make a root certificate authority",
		Long: `Make a root certificate authority: a key and a self-signed certificate, as
ca.key and ca.crt in the PKI directory. An existing one is never overwritten.

Whoever has ca.key can make themselves administrator of every cluster that
trusts ca.crt. It is written with mode 0600; keep a backup offline. It is
encrypted (AES-256) if there is a passphrase: from --passphrase-file, from the
environment variable PKICTL_PASSPHRASE, or typed after --encrypt-key. Every
command that signs then asks for it in the same ways. The keys of certificates
stay as they are, for the servers that read them.

With --pkcs11 the key is in a PKCS#11 token, where it is made unless it is
there, and ca.key says only where. The passphrase is then the token's PIN.`,
		Example: `  pkictl init-ca
  pkictl init-ca --dir pki/etcd --cn etcd-ca --key rsa-2048 --validity 5y
  PKICTL_PASSPHRASE='three words or more' pkictl init-ca --dir safe
  pkictl init-ca --explain`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.Dir, o.Now, o.Waiting = a.dir, a.now(), a.waiting
			if o.NewPassphrase = newPassphrase(); o.PKCS11 != "" {
				if err := checkPKCS11(cmd, &o); err != nil {
					return err
				}
			}
			o.OpenSSLPass = a.opensslPass(a.passphraseFile, envVariable)
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
	flags.StringVar(&o.PKCS11, "pkcs11", "", "`URI` of a key in a PKCS#11 token, as in 'pkcs11:token=pki;object=ca?module-path=FILE'")
	o.Passphrase = a.addPassphrase(cmd)
	newPassphrase = a.addNewPassphrase(cmd)
	addDryRun(cmd, &o.DryRun)
	addExplain(cmd, &explain)
	complete(cmd, "key", keyKindNames()...)
	return cmd
}

// checkPKCS11 checks what does not go with a key in a token. Its kind counts
// only if it was asked for.
func checkPKCS11(cmd *cobra.Command, o *ca.InitOptions) error {
	for _, other := range []string{"encrypt-key", "explain"} {
		if cmd.Flags().Changed(other) {
			return failure.New(failure.Usage, "leave one of them out", "--%s does not go with --pkcs11: the key never leaves the token", other)
		}
	}
	if !cmd.Flags().Changed("key") {
		o.Key = ""
	}
	return nil
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
	KeyEncrypted      bool      `json:"keyEncrypted,omitempty"`
	KeyInToken        bool      `json:"keyInToken,omitempty"`
	DryRun            bool      `json:"dryRun,omitempty"`
}

func (a *app) printCA(r *ca.InitResult, dryRun bool) error {
	cert := r.Certificate
	result := caResult{
		typeMeta: kind("CertificateAuthority"),
		Subject:  ca.FormatName(cert.RawSubject), Key: ca.KeyName(cert.PublicKey), Serial: ca.FormatSerial(cert.SerialNumber),
		NotBefore: cert.NotBefore, NotAfter: cert.NotAfter, FingerprintSHA256: ca.Fingerprint(cert),
		CertificateFile: r.CertPath, KeyFile: r.KeyPath, KeyEncrypted: r.Encrypted, KeyInToken: r.InToken, DryRun: dryRun,
	}
	privateKey := r.KeyPath
	switch {
	case r.Encrypted:
		privateKey += " (encrypted)"
	case r.InToken:
		privateKey += " (says where in the PKCS#11 token)"
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
			row{"private key", privateKey},
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
