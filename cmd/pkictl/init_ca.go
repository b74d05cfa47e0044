package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
)

// initFlags are the flags of init-ca as they are written.
type initFlags struct {
	ca.InitOptions
	pathLength    int
	explain       bool
	newPassphrase func() ca.Passphrase
}

func (a *app) initCACmd() *cobra.Command {
	var f initFlags
	cmd := &cobra.Command{
		Use:   "init-ca",
		Short: "Make or import a certificate authority",
		Long: `Make a root certificate authority: a key and a self-signed certificate, as
ca.key and ca.crt in the PKI directory. An existing one is never overwritten.

Whoever has ca.key can make themselves administrator of every cluster that
trusts ca.crt. It is written with mode 0600; keep a backup offline. It is
encrypted (AES-256) if there is a passphrase: from --passphrase-file, from the
environment variable PKICTL_PASSPHRASE, or typed after --encrypt-key. Every
command that signs then asks for it in the same ways. The keys of certificates
stay as they are, for the servers that read them.

With --pkcs11 the key is in a PKCS#11 token, where it is made unless it is
there, and ca.key says only where. The passphrase is then the token's PIN.

With --parent it is an intermediate CA that the CA in another directory signs
and records. ca-chain.crt then holds its certificate, those above it and the
root: give it to who trusts this CA. What it issues carries the certificates
that lead to the root, so whoever trusts the root alone accepts it, too. One
passphrase serves for both keys, unless it is typed.

--permit-dns example.com lets the CA certify example.com and every name below
it, and no other DNS name (RFC 5280, 4.2.1.10; a leading dot is not part of that
form). --permit-ip does so for addresses. Each limits its own kind alone: with
--permit-dns only, every IP address may still be certified. Common names, which
are Kubernetes users, and groups are never limited. URIs and e-mail addresses
are not either.

--cert and --key take over an existing CA from two files, --import one of
kubeadm, cfssl, easy-rsa or openssl ca from its directory, with a record of every
certificate below it that this CA has signed, and of what index.txt says is
revoked; all three together are for a CA whose files have other names. The old
files stay as they are, and an encrypted key stays encrypted. With --import and
--dir naming the same directory of kubeadm's, only the inventory is added.`,
		Example: `  pkictl init-ca
  pkictl init-ca --dir pki/etcd --cn etcd-ca --key rsa-2048 --validity 5y
  PKICTL_PASSPHRASE='three words or more' pkictl init-ca --dir safe
  pkictl init-ca --dir team-a --parent pki --permit-dns team-a.example.com --permit-ip 10.1.0.0/16
  pkictl init-ca --dir copy --cert pki/ca.crt --key pki/ca.key
  pkictl init-ca --dir adopted --import pki/etcd
  pkictl init-ca --explain`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.initCA(cmd, f) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.CommonName, "cn", "", "common `NAME` (default "+ca.DefaultCommonName+", with --parent "+ca.DefaultIntermediateCommonName+")")
	flags.StringArrayVar(&f.Organizations, "org", nil, "`ORGANIZATION`; may be given several times")
	flags.StringVar(&f.Key, "key", "", "`KIND` of key: "+keyKinds()+" (default "+string(ca.ECDSAP256)+"); with --cert the FILE of the CA's key")
	flags.StringVar(&f.Validity, "validity", "", "`TIME` for which it is valid, as in 10y or 3650d (default 10y, with --parent 5y or until the parent ends)")
	flags.StringVar(&f.Parent, "parent", "", "`DIRECTORY` of the CA that signs an intermediate one")
	flags.IntVar(&f.pathLength, "path-length", 0, "`NUMBER` of CAs that may stand below it in a chain (default any, with --parent none)")
	flags.StringArrayVar(&f.PermitDNS, "permit-dns", nil, "`DOMAIN` it may certify, with all names below; may be given several times")
	flags.StringArrayVar(&f.PermitIPs, "permit-ip", nil, "`NETWORK` it may certify, as in 10.0.0.0/8; may be given several times")
	flags.StringVar(&f.CertFile, "cert", "", "import the CA of this certificate `FILE`, with those above it behind, and of --key")
	flags.StringVar(&f.ImportDir, "import", "", "import the CA in this `DIRECTORY`, and record what it has signed")
	flags.StringVar(&f.PKCS11, "pkcs11", "", "`URI` of a key in a PKCS#11 token, as in 'pkcs11:token=pki;object=ca?module-path=FILE'")
	f.Passphrase = a.addPassphrase(cmd)
	f.newPassphrase = a.addNewPassphrase(cmd)
	addDryRun(cmd, &f.DryRun)
	addExplain(cmd, &f.explain)
	complete(cmd, "key", ca.KeyKindNames()...)
	return cmd
}

// checkPKCS11 checks what does not go with a key in a token.
func checkPKCS11(cmd *cobra.Command) error {
	for _, other := range []string{"encrypt-key", "explain", "cert", "import"} {
		if cmd.Flags().Changed(other) {
			return failure.New(failure.Usage, "leave one of them out", "--%s does not go with --pkcs11: the key never leaves the token", other)
		}
	}
	return nil
}

func (a *app) initCA(cmd *cobra.Command, f initFlags) error {
	f.Dir, f.Now, f.Waiting = a.dir, a.now(), a.waiting
	if f.Parent != "" {
		f.Waiting = func() { a.waitingFor(a.dir + " or " + f.Parent) }
	}
	if cmd.Flags().Changed("path-length") {
		f.PathLength = &f.pathLength
	}
	if f.CertFile != "" {
		f.KeyFile, f.Key = f.Key, ""
		if f.KeyFile == "" {
			return failure.New(failure.Usage, "add --key with the file of the CA's key", "--key is missing")
		}
	}
	if f.NewPassphrase = f.newPassphrase(); f.PKCS11 != "" {
		if err := checkPKCS11(cmd); err != nil {
			return err
		}
	}
	f.MustEncrypt = a.passphraseFile != "" || cmd.Flags().Changed("encrypt-key") // asked for, not from the environment
	f.OpenSSLPass = a.opensslPass(a.passphraseFile, envVariable)
	if f.explain {
		return a.explain(ca.ExplainInit(f.InitOptions))
	}
	result, err := ca.Init(cmd.Context(), f.InitOptions)
	if err != nil {
		return err
	}
	a.warn(result.Warnings...)
	return a.printCA(result, f.DryRun)
}

type caResult struct {
	typeMeta
	Subject           string          `json:"subject"`
	Issuer            string          `json:"issuer"`
	Key               string          `json:"key"`
	Serial            string          `json:"serial,omitempty"`
	NotBefore         time.Time       `json:"notBefore"`
	NotAfter          time.Time       `json:"notAfter"`
	PathLength        *int            `json:"pathLength,omitempty"`
	Permitted         []string        `json:"permitted,omitempty"`
	FingerprintSHA256 string          `json:"fingerprintSHA256,omitempty"`
	CertificateFile   string          `json:"certificateFile"`
	KeyFile           string          `json:"keyFile"`
	KeyEncrypted      bool            `json:"keyEncrypted,omitempty"`
	KeyInToken        bool            `json:"keyInToken,omitempty"`
	ChainFile         string          `json:"chainFile,omitempty"`
	Imported          *importedResult `json:"imported,omitempty"`
	DryRun            bool            `json:"dryRun,omitempty"`
}

type importedResult struct {
	From         string          `json:"from,omitempty"`
	Recorded     int             `json:"recorded"`
	Revoked      int             `json:"revoked"`
	Known        int             `json:"known"`
	RevokedSince int             `json:"revokedSince"` // of those that were known
	PassedOver   []ca.PassedOver `json:"passedOver,omitempty"`
}

func newCAResult(r *ca.InitResult, dryRun bool) caResult {
	cert := r.Certificate
	result := caResult{
		typeMeta: kind("CertificateAuthority"),
		Subject:  ca.FormatName(cert.RawSubject), Issuer: ca.FormatName(cert.RawIssuer), Key: ca.KeyName(cert.PublicKey),
		NotBefore: cert.NotBefore, NotAfter: cert.NotAfter, Permitted: ca.PermittedNames(cert),
		CertificateFile: r.CertPath, KeyFile: r.KeyPath, KeyEncrypted: r.Encrypted, KeyInToken: r.InToken, ChainFile: r.ChainPath, DryRun: dryRun,
	}
	if cert.MaxPathLen >= 0 {
		result.PathLength = &cert.MaxPathLen
	}
	if i := r.Imported; i != nil {
		result.Imported = &importedResult{
			From: i.From, Recorded: i.Recorded, Revoked: i.Revoked, Known: i.Known, RevokedSince: i.RevokedSince, PassedOver: i.PassedOver,
		}
	}
	if !dryRun || r.Imported != nil { // otherwise it is not the one that will be made
		result.Serial, result.FingerprintSHA256 = ca.FormatSerial(cert.SerialNumber), ca.Fingerprint(cert)
	}
	return result
}

func privateKey(r *ca.InitResult) string {
	switch {
	case r.Encrypted:
		return r.KeyPath + " (encrypted)"
	case r.InToken:
		return r.KeyPath + " (says where in the PKCS#11 token)"
	}
	return r.KeyPath
}

func (a *app) printCA(r *ca.InitResult, dryRun bool) error {
	result := newCAResult(r, dryRun)
	return a.print(result, func(w io.Writer) {
		fmt.Fprintln(w, caHeadline(r, dryRun))
		rows := []row{{"subject", result.Subject}}
		if result.Issuer != result.Subject {
			rows = append(rows, row{"issuer", result.Issuer})
		}
		pathLength := ""
		if result.PathLength != nil {
			pathLength = strconv.Itoa(*result.PathLength)
		}
		rows = append(rows,
			row{"key", result.Key},
			row{"ends", ends(result.NotAfter, a.now())},
			row{"path length", pathLength},
			row{"permitted names", strings.Join(result.Permitted, ", ")},
			row{"SHA-256", result.FingerprintSHA256},
			row{"certificate", r.CertPath},
			row{"private key", privateKey(r)},
			row{"chain", r.ChainPath},
		)
		if r.Imported != nil {
			for _, line := range r.Imported.Summary(dryRun) {
				rows = append(rows, row{line[0], line[1]})
			}
		}
		printRows(w, "  ", rows...)
	})
}

func caHeadline(r *ca.InitResult, dryRun bool) string {
	did, would := "Made", "make"
	if r.Imported != nil {
		did, would = "Imported", "import"
	}
	from := ""
	if r.Imported != nil && r.Imported.From != "" {
		from = " of " + r.Imported.From
	}
	if dryRun {
		return "Would " + would + " a certificate authority" + from + " (dry run: nothing was written)"
	}
	return did + " a certificate authority" + from
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
	cmd.Flags().BoolVar(flag, "dry-run", false, "check everything, but sign, write and send nothing")
}

func addExplain(cmd *cobra.Command, flag *bool) {
	cmd.Flags().BoolVar(flag, "explain", false, "print the openssl or kubectl commands that give the same result, and do nothing else")
}
