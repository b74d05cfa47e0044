package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
	"github.com/pkictl/pkictl/kubeconfig"
)

type issueFlags struct {
	ca.IssueOptions
	explain    bool
	kubeconfig string
	entry      kubeconfig.Entry
}

func (a *app) issueCmd() *cobra.Command {
	var f issueFlags
	cmd := &cobra.Command{
		Use:   "issue --cn NAME [--group GROUP]...",
		Short: "Make a key and a certificate",
		Long: `Make a key and a certificate that the CA in the PKI directory signs.

Kubernetes takes the common name for the user and each group from an
organization of the subject. An API server reads no revocation list: a client
certificate works until it ends, so give people short ones. The group
system:masters passes every authorizer, and only a new CA takes it back.

A server's common name is also an alternative name if it is a DNS name or an
IP address; clients look at nothing else.`,
		Example: `  pkictl init-ca
  pkictl issue --cn kube-admin --group system:masters
  pkictl issue --cn jane --group developers --validity 8h --kubeconfig jane.conf --server https://10.0.0.10:6443
  pkictl issue --cn kube-apiserver --profile server --dns kubernetes.default.svc --ip 10.96.0.1 --out pki/apiserver
  pkictl issue --cn kube-admin --group system:masters --force`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.issue(cmd, f) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.CommonName, "cn", "", "common `NAME`: the user's or the server's")
	flags.StringArrayVar(&f.Groups, "group", nil, "`GROUP` (organization); may be given several times")
	flags.StringVar(&f.Profile, "profile", ca.ProfileClient, "`PROFILE`, what it is for: client, server or peer (both)")
	flags.StringArrayVar(&f.DNS, "dns", nil, "alternative DNS `NAME`; may be given several times")
	flags.StringArrayVar(&f.IPs, "ip", nil, "alternative IP `ADDRESS`; may be given several times")
	flags.StringArrayVar(&f.URIs, "uri", nil, "alternative `URI`; may be given several times")
	flags.StringArrayVar(&f.Emails, "email", nil, "alternative e-mail `ADDRESS`; may be given several times")
	flags.StringVar(&f.Key, "key", string(ca.ECDSAP256), "`KIND` of key: "+keyKinds())
	flags.StringVar(&f.Validity, "validity", "", "`TIME` for which it is valid, as in 90d, 8h or 1y (default 90d, or until the CA ends)")
	flags.StringVar(&f.Out, "out", "", "write to `PREFIX`.crt and PREFIX.key (default the common name, in the PKI directory)")
	flags.BoolVar(&f.Force, "force", false, "replace key and certificate of that name, both in one step")
	flags.StringVar(&f.kubeconfig, "kubeconfig", "", "also write a kubeconfig to this `FILE`")
	flags.StringVar(&f.entry.Server, "server", "", "`URL` of the API server, for the kubeconfig")
	flags.StringVar(&f.entry.Cluster, "cluster", kubeconfig.DefaultCluster, "`NAME` of the cluster in the kubeconfig")
	flags.StringVar(&f.entry.Namespace, "namespace", "", "`NAMESPACE` of the context in the kubeconfig")
	f.Passphrase = a.addPassphrase(cmd)
	addDryRun(cmd, &f.DryRun)
	addExplain(cmd, &f.explain)
	complete(cmd, "profile", ca.ProfileNames()...)
	complete(cmd, "key", keyKindNames()...)
	return cmd
}

func (a *app) issue(cmd *cobra.Command, f issueFlags) error {
	f.Dir, f.Now, f.Waiting = a.dir, a.now(), a.waiting
	f.entry.User = f.CommonName
	if !cmd.Flags().Changed("cn") {
		return failure.New(failure.Usage, "name the user or server, as in --cn kube-admin", "--cn is missing")
	}
	if err := f.addKubeconfig(cmd); err != nil {
		return err
	}
	f.OpenSSLPass = a.opensslPass(cmd)
	if f.explain {
		return a.explain(f.recipe())
	}
	result, err := ca.Issue(cmd.Context(), f.IssueOptions)
	if err != nil {
		return err
	}
	a.warn(result.Warnings...)
	return a.printIssued(f, result)
}

// addKubeconfig checks what was said of the kubeconfig and has it written with
// key and certificate.
func (f *issueFlags) addKubeconfig(cmd *cobra.Command) error {
	if f.kubeconfig == "" {
		for _, name := range []string{"server", "cluster", "namespace"} {
			if cmd.Flags().Changed(name) {
				return failure.New(failure.Usage, "add --kubeconfig FILE", "--%s is for a kubeconfig", name)
			}
		}
		return nil
	}
	if err := f.entry.Validate(); err != nil {
		return err
	}
	profile, err := ca.BuiltinProfile(f.Profile)
	if err != nil {
		return err
	}
	if !profile.ClientAuth() {
		return failure.New(failure.Usage, "use --profile client, or leave --kubeconfig out",
			"a certificate of profile %q cannot log in to an API server", f.Profile)
	}
	if _, err := os.Lstat(f.kubeconfig); err == nil && f.Force {
		if err := f.entry.CheckReplace(f.kubeconfig); err != nil {
			return err
		}
	}
	f.AlsoPaths = []string{f.kubeconfig}
	f.Also = func(c ca.Credential) ([]store.File, error) {
		entry := f.entry
		entry.CAPEM, entry.CertPEM, entry.KeyPEM = c.CAPEM, c.CertPEM, c.KeyPEM
		data, err := entry.Marshal()
		return []store.File{{Path: f.kubeconfig, Data: data, Mode: 0o600}}, err
	}
	return nil
}

// recipe is what --explain prints.
func (f *issueFlags) recipe() (string, error) {
	recipe, err := ca.ExplainIssue(f.IssueOptions)
	if err != nil || f.kubeconfig == "" {
		return recipe, err
	}
	prefix := f.Prefix()
	return recipe + f.entry.Explain(f.kubeconfig, ca.CertPath(f.Dir), prefix+".crt", prefix+".key"), nil
}

type issueResult struct {
	typeMeta
	Subject           string    `json:"subject"`
	User              string    `json:"commonName"`
	Groups            []string  `json:"groups,omitempty"`
	Profile           string    `json:"profile"`
	SANs              []string  `json:"sans,omitempty"`
	Key               string    `json:"key"`
	Serial            string    `json:"serial,omitempty"`
	NotBefore         time.Time `json:"notBefore"`
	NotAfter          time.Time `json:"notAfter"`
	FingerprintSHA256 string    `json:"fingerprintSHA256,omitempty"`
	CertificateFile   string    `json:"certificateFile"`
	KeyFile           string    `json:"keyFile"`
	KubeconfigFile    string    `json:"kubeconfigFile,omitempty"`
	DryRun            bool      `json:"dryRun,omitempty"`
}

func (a *app) printIssued(f issueFlags, r *ca.IssueResult) error {
	cert := r.Certificate
	result := issueResult{
		typeMeta: kind("Certificate"),
		Subject:  ca.FormatName(cert.RawSubject), User: f.CommonName, Groups: f.Groups, Profile: r.Profile,
		SANs: ca.SANsOf(cert).Strings(), Key: ca.KeyName(cert.PublicKey),
		NotBefore: cert.NotBefore, NotAfter: cert.NotAfter,
		CertificateFile: r.CertPath, KeyFile: r.KeyPath, KubeconfigFile: f.kubeconfig, DryRun: f.DryRun,
	}
	first := "Issued " + printable(f.CommonName)
	if f.DryRun {
		first = "Would issue " + printable(f.CommonName) + " (dry run: nothing was signed or written)"
	} else {
		result.Serial, result.FingerprintSHA256 = ca.FormatSerial(cert.SerialNumber), ca.Fingerprint(cert)
	}
	return a.print(result, func(w io.Writer) {
		fmt.Fprintln(w, first)
		printRows(w, "  ",
			row{"subject", result.Subject},
			row{"profile", r.Profile},
			row{"names", strings.Join(result.SANs, ", ")},
			row{"key", result.Key},
			row{"serial", result.Serial},
			row{"ends", ends(cert.NotAfter, a.now())},
			row{"SHA-256", result.FingerprintSHA256},
			row{"certificate", r.CertPath},
			row{"private key", r.KeyPath},
			row{"kubeconfig", f.kubeconfig},
		)
	})
}

func keyKindNames() []string {
	var names []string
	for _, kind := range ca.KeyKinds() {
		names = append(names, string(kind))
	}
	return names
}

func keyKinds() string { return strings.Join(keyKindNames(), ", ") }
