package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/kubeconfig"
)

type issueFlags struct {
	ca.IssueOptions
	explain     bool
	file        string // of many
	profileFile string
	csr         string
	kubeconfig  string
	entry       kubeconfig.Entry
	export      exportFlags
}

func (a *app) issueCmd() *cobra.Command {
	var f issueFlags
	cmd := &cobra.Command{
		Use:   "issue --cn NAME [--group GROUP]... | --csr FILE | -f FILE",
		Short: "Make a key and a certificate",
		Long: `Make a key and a certificate that the CA in the PKI directory signs.

Kubernetes takes the common name for the user and each group from an
organization of the subject. An API server reads no revocation list: a client
certificate works until it ends, so give people short ones. The group
system:masters passes every authorizer, and only a new CA takes it back.

A server's common name is also an alternative name if it is a DNS name or an
IP address; clients look at nothing else.

With -o, key and certificate are also written to one file of mode 0600:
  p12            PKCS#12 with all CAs up to the root, under a password
  pem            key, certificate and intermediate CAs, in this order
  tls-secret     manifest of a Kubernetes Secret of type kubernetes.io/tls, with
                 tls.crt, tls.key and ca.crt
  opaque-secret  the same as type Opaque, and with kubeconfig if there is one
--export says where; with --export - it goes to standard output, and the result
to standard error.

With -f there is a certificate for each line of a file: CSV, whose first line
names the columns, of cn, group, profile, dns, ip, uri, email, key, validity and
out, with ';' between several values in one cell; or YAML, a list of objects
with these keys. Flags say what a line leaves out; --out and --kubeconfig name
directories. A line that fails is reported with its number and does not stop the
others. Run it again after an interruption: what is there is skipped.
` + profileFileHelp + csrHelp,
		Example: `  pkictl init-ca
  pkictl issue --cn kube-admin --group system:masters
  pkictl issue --cn jane --group developers --validity 8h --kubeconfig jane.conf --server https://10.0.0.10:6443
  pkictl issue --cn kube-apiserver --profile server --dns kubernetes.default.svc --ip 10.96.0.1 --out pki/apiserver
  pkictl issue --cn web --profile server --dns web.example.com -o tls-secret --namespace shop
  pkictl issue --cn jane --force -o pem --export - | openssl x509 -noout -subject
  openssl rand -hex 16 > joe.password
  pkictl issue --cn joe -o p12 --export-passphrase-file joe.password
  pkictl issue --cn kube-admin --group system:masters --force
  printf 'cn,group\nann,developers\ntom,developers;oncall\n' > users.csv
  pkictl issue -f users.csv --validity 30d
` + profileFileExample + csrExample,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.issue(cmd, f) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.CommonName, "cn", "", "common `NAME`: the user's or the server's")
	flags.StringArrayVar(&f.Groups, "group", nil, "`GROUP` (organization); may be given several times")
	flags.StringVar(&f.Profile, "profile", ca.ProfileClient, "`PROFILE`, what it is for: client, server or peer (both), or one of --profile-file")
	flags.StringVar(&f.profileFile, "profile-file", "", "`FILE` with profiles in place of the built-in ones: YAML, or cfssl's JSON")
	flags.StringVar(&f.csr, "csr", "", "make no key, but sign the certificate request in this `FILE` (- is standard input)")
	flags.StringArrayVar(&f.Allow, "allow", nil, "let a request have what is refused otherwise, by `NAME`: "+strings.Join(ca.Allowances(), ", ")+", name:NAME, group:NAME")
	flags.StringArrayVar(&f.DNS, "dns", nil, "alternative DNS `NAME`; may be given several times")
	flags.StringArrayVar(&f.IPs, "ip", nil, "alternative IP `ADDRESS`; may be given several times")
	flags.StringArrayVar(&f.URIs, "uri", nil, "alternative `URI`; may be given several times")
	flags.StringArrayVar(&f.Emails, "email", nil, "alternative e-mail `ADDRESS`; may be given several times")
	flags.StringVar(&f.Key, "key", string(ca.ECDSAP256), "`KIND` of key: "+keyKinds())
	flags.StringVar(&f.Validity, "validity", "", "`TIME` for which it is valid, as in 90d, 8h or 1y (default 90d, or until the CA ends)")
	flags.StringVar(&f.Out, "out", "", "write to `PREFIX`.crt and PREFIX.key (default the common name, in the PKI directory)")
	flags.StringVarP(&f.file, "file", "f", "", "issue for each line of this CSV or YAML `FILE`, or of - for standard input")
	flags.BoolVar(&f.Force, "force", false, "replace key and certificate of that name, both in one step")
	flags.StringVar(&f.kubeconfig, "kubeconfig", "", "also write a kubeconfig to this `FILE`")
	flags.StringVar(&f.entry.Server, "server", "", "`URL` of the API server, for the kubeconfig")
	flags.StringVar(&f.entry.Cluster, "cluster", kubeconfig.DefaultCluster, "`NAME` of the cluster in the kubeconfig")
	flags.StringVar(&f.entry.Namespace, "namespace", "", "`NAMESPACE` of the context in the kubeconfig, and of a Secret")
	f.export.add(cmd)
	f.Passphrase = a.addPassphrase(cmd)
	addDryRun(cmd, &f.DryRun)
	addExplain(cmd, &f.explain)
	complete(cmd, "profile", ca.ProfileNames()...)
	complete(cmd, "key", ca.KeyKindNames()...)
	complete(cmd, "allow", append(ca.Allowances(), reservedNames...)...)
	return cmd
}

func (a *app) issue(cmd *cobra.Command, f issueFlags) error {
	f.Dir, f.Now, f.Waiting = a.dir, a.now(), a.waiting
	f.export.form, _ = ca.ParseExportForm(a.output)
	if err := f.readFiles(cmd, a.in); err != nil {
		return err
	}
	f.entry.User = f.CommonName
	if f.file != "" {
		return a.issueBatch(cmd, f)
	}
	if f.CommonName == "" {
		return failure.New(failure.Usage, "name the user or server, as in --cn kube-admin, or many with -f FILE", "--cn is missing")
	}
	if err := f.addKubeconfig(cmd); err != nil {
		return err
	}
	if err := a.addExport(cmd, &f); err != nil {
		return err
	}
	f.OpenSSLPass = a.opensslPass(a.passphraseFile, envVariable)
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
			if cmd.Flags().Changed(name) && (name != "namespace" || !f.export.form.IsSecret()) {
				return failure.New(failure.Usage, "add --kubeconfig FILE", "--%s is for a kubeconfig", name)
			}
		}
		return nil
	}
	return f.planKubeconfig()
}

// planKubeconfig has the kubeconfig written with key and certificate.
func (f *issueFlags) planKubeconfig() error {
	return f.entry.IssueTo(f.kubeconfig, &f.IssueOptions)
}

// recipe is what --explain prints.
func (f *issueFlags) recipe() (string, error) {
	recipe, err := ca.ExplainIssue(f.IssueOptions)
	if err != nil {
		return "", err
	}
	if prefix := f.Prefix(); f.kubeconfig != "" {
		recipe += f.entry.Explain(f.kubeconfig, ca.BundlePath(f.Dir), prefix+".crt", prefix+".key")
	}
	return recipe + f.export.explain(f), nil
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
	KeyFile           string    `json:"keyFile,omitempty"`
	KubeconfigFile    string    `json:"kubeconfigFile,omitempty"`
	CertificatePEM    string    `json:"certificate,omitempty"`   // with the intermediate CAs behind it
	CACertificatePEM  string    `json:"caCertificate,omitempty"` // the CA, with those above it
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
		result.CertificatePEM, result.CACertificatePEM = string(r.CertPEM), string(r.CAPEM)
	}
	a, err := f.export.print(a)
	if err != nil {
		return err
	}
	return a.print(result, func(w io.Writer) {
		fmt.Fprintln(w, first)
		printRows(w, "  ", append([]row{
			{"subject", result.Subject},
			{"profile", r.Profile},
			{"names", strings.Join(result.SANs, ", ")},
			{"key", result.Key},
			{"serial", result.Serial},
			{"ends", ends(cert.NotAfter, a.now())},
			{"SHA-256", result.FingerprintSHA256},
			{"certificate", r.CertPath},
			{"private key", r.KeyPath},
			{"kubeconfig", f.kubeconfig},
		}, f.export.rows()...)...)
	})
}

func keyKinds() string { return strings.Join(ca.KeyKindNames(), ", ") }
