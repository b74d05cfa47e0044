package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/shell"
	"github.com/pkictl/pkictl/internal/store"
	"github.com/pkictl/pkictl/kubeconfig"
)

// createFlags are the flags of kubeconfig create as they are written.
type createFlags struct {
	name      string // the argument
	cert, key string
	ca        string
	out       string
	user      string
	reference bool
	force     bool
	dryRun    bool
	explain   bool
	conn      *connection
	entry     kubeconfig.Entry

	plugin pluginFlags
	pair   *kubeconfig.Pair // nil: of a plugin
	trust  trust
}

// trust says where the CA of the server is from.
type trust struct {
	file string // that holds it; empty: none does
	// script are shell commands that make the file, for --explain.
	script string
}

func (a *app) kubeconfigCreateCmd() *cobra.Command {
	var f createFlags
	cmd := &cobra.Command{
		Use:   "create NAME | create --cert FILE --key FILE",
		Short: "Write a kubeconfig for a certificate that is there",
		Long: `Write a kubeconfig of mode 0600 for a certificate and key that are there: those
of NAME in the PKI directory, or those of --cert and --key. They are embedded;
with --reference their absolute paths stand in it. A certificate that is not
valid, not for clients, revoked, or not that of the key is refused.

Server and CA are those of --server and --ca. Without --server they are taken
from the current context, or that of --kubeconfig and --context. Without --ca
the CA of a --server is that in the PKI directory.

With --exec it holds no certificate: kubectl gets short ones for NAME and its
--group from the command credential. They are signed by the CA in the PKI
directory (--via ca, the default where there is one), or by the cluster upon
certificate signing requests (--via csr).

A file that is there is replaced with --force alone, and not if it has other
entries.`,
		Example: `  pkictl issue --cn kay --group developers
  pkictl kubeconfig create kay --server https://10.0.0.10:6443
  pkictl kubeconfig create kay --force --namespace dev
  pkictl kubeconfig create --cert pki/kay.crt --key pki/kay.key --out laptop.conf --explain
  pkictl kubeconfig create kim --exec --group developers --for 30m
  pkictl kubeconfig create kate --exec --via csr`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				f.name = args[0]
			}
			return a.kubeconfigCreate(cmd, &f)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.cert, "cert", "", "`FILE` with the client certificate, in PEM")
	flags.StringVar(&f.key, "key", "", "`FILE` with its key, in PEM and not encrypted")
	flags.StringVar(&f.entry.Server, "server", "", "`URL` of the API server (default that of the context)")
	flags.StringVar(&f.ca, "ca", "", "`FILE` with the CA of the API server, in PEM")
	flags.StringVar(&f.entry.Cluster, "cluster", "", "`NAME` of the cluster (default that of the context, or "+kubeconfig.DefaultCluster+")")
	flags.StringVar(&f.user, "user", "", "`NAME` of the user in the kubeconfig (default the common name)")
	flags.StringVar(&f.entry.Namespace, "namespace", "", "`NAMESPACE` of the context")
	flags.StringVar(&f.out, "out", "", "`FILE` to write (default NAME.conf in the current directory)")
	flags.BoolVar(&f.reference, "reference", false, "name the files in place of embedding them")
	flags.BoolVar(&f.force, "force", false, "replace the file")
	f.conn = addConnection(cmd)
	f.plugin.add(cmd)
	a.addPassphrase(cmd)
	flags.BoolVar(&f.dryRun, "dry-run", false, "check everything, write nothing")
	flags.BoolVar(&f.explain, "explain", false, "print the kubectl commands that give the same result, and do nothing else")
	return cmd
}

func (a *app) kubeconfigCreate(cmd *cobra.Command, f *createFlags) error {
	if err := f.check(cmd); err != nil {
		return err
	}
	if err := a.findServer(f); err != nil {
		return err
	}
	var marshal func() ([]byte, error)
	var recipe func() string
	if f.plugin.exec {
		entry, err := a.planPlugin(f)
		if err != nil {
			return err
		}
		marshal, recipe = entry.Marshal, func() string { return f.trust.script + entry.Explain(f.out, f.trust.file) }
	} else {
		if err := a.planPair(cmd, f); err != nil {
			return err
		}
		marshal, recipe = f.entry.Marshal, func() string {
			return f.trust.script + f.entry.Explain(f.out, f.trust.file, f.pair.CertFile, f.pair.KeyFile)
		}
	}
	if err := f.entry.Validate(); err != nil {
		return err
	}
	if f.explain {
		return a.explain(recipe(), nil)
	}
	if err := f.entry.CheckNew(f.out, f.force); err != nil {
		return err
	}
	data, err := marshal()
	if err == nil && !f.dryRun {
		err = a.writeCreated(cmd, f, data)
	}
	if err != nil {
		return err
	}
	return a.printCreated(f)
}

func (a *app) writeCreated(cmd *cobra.Command, f *createFlags, data []byte) error {
	if f.force {
		release, err := kubeconfig.Lock(cmd.Context(), f.out, func() { a.waitingFor(f.out) })
		if err != nil {
			return err
		}
		defer release()
		if err := f.entry.CheckNew(f.out, true); err != nil { // another may have written it
			return err
		}
		return store.WriteFile(f.out, data, 0o600)
	}
	err := store.WriteNew(f.out, data, 0o600)
	var exists *store.ExistsError
	if errors.As(err, &exists) { // another was faster
		return f.entry.CheckNew(f.out, false)
	}
	return err
}

// check checks which flags go together, and fills in what follows from them.
func (f *createFlags) check(cmd *cobra.Command) error {
	files := f.cert != "" || f.key != ""
	switch {
	case f.plugin.exec && (files || f.reference):
		return failure.New(failure.Usage, "leave one out", "--exec has no certificate, so --cert, --key and --reference say nothing")
	case f.name == "" && f.plugin.exec:
		return failure.New(failure.Usage, "name the user, as in: pkictl kubeconfig create jane --exec", "the name of the user is missing")
	case f.name == "" && (f.cert == "" || f.key == ""):
		return failure.New(failure.Usage, "name a certificate of the PKI directory, or give --cert and --key", "it is not said which certificate")
	case f.name != "" && files:
		return failure.New(failure.Usage, "leave one out", "NAME and --cert with --key exclude each other")
	}
	if err := f.plugin.check(cmd); err != nil {
		return err
	}
	if f.out == "" {
		base := strings.TrimSuffix(filepath.Base(f.cert), filepath.Ext(f.cert))
		if f.name != "" {
			base = filepath.Base(ca.IssueOptions{CommonName: f.name}.Prefix())
		}
		f.out = base + ".conf"
	}
	return nil
}

// findServer fills in the server and its CA: what is said, or what a
// kubeconfig says.
func (a *app) findServer(f *createFlags) error {
	if f.entry.Server == "" {
		if err := a.takeServer(f); err != nil {
			return err
		}
	} else if f.ca == "" {
		if noCA(a.dir) {
			return failure.New(failure.Usage, "name its file with --ca", "there is no CA in %q by which to know the API server", a.dir)
		}
		f.ca = ca.BundlePath(a.dir)
	}
	if f.entry.Cluster == "" {
		f.entry.Cluster = kubeconfig.DefaultCluster
	}
	if f.ca == "" {
		return nil
	}
	roots, data, err := readCAs(f.ca)
	if err != nil {
		return err
	}
	if end := latestEnd(roots); a.now().After(end) {
		a.warn(fmt.Sprintf("the CA in %q expired on %s", f.ca, utc(end)))
	}
	f.entry.CAPEM, f.trust = data, trust{file: f.ca}
	if f.reference {
		f.entry.CAFile, err = filepath.Abs(f.ca)
		f.trust.file = f.entry.CAFile
	}
	return err
}

// takeServer takes the server from the context of a kubeconfig, and its CA
// unless --ca names one.
func (a *app) takeServer(f *createFlags) error {
	client, err := a.connect(f.conn)
	if err != nil {
		return failure.Wrap(err, failure.KindOf(err), "add --server, as in --server https://10.0.0.10:6443, or name a kubeconfig with --kubeconfig",
			"there is no --server, and no context to take it from")
	}
	if !client.Verified() && f.ca == "" {
		return failure.New(failure.Refused, "name the CA of the server with --ca", "context %q does not verify its server (insecure-skip-tls-verify), and that is not passed on", client.Context)
	}
	entry := kubeconfig.EntryFor(client)
	entry.Cluster, entry.Namespace = cmp.Or(f.entry.Cluster, entry.Cluster), f.entry.Namespace
	f.entry = entry
	if f.ca != "" {
		return nil
	}
	if f.entry.CAPEM, err = client.CAPEM(); err != nil || len(f.entry.CAPEM) == 0 {
		return err
	}
	f.trust = trust{file: "server-ca.crt", script: a.explainCA(f.conn, client.Context)}
	return nil
}

// explainCA are the commands that get the CA of a context.
func (a *app) explainCA(c *connection, context string) string {
	from := ""
	if c.file != "" {
		from = " --kubeconfig=" + shell.Quote(c.file)
	}
	return fmt.Sprintf("# the CA of the server\nkubectl config view%s --context=%s --raw --minify --flatten -o 'jsonpath={.clusters[0].cluster.certificate-authority-data}' | base64 -d > server-ca.crt\n",
		from, shell.Quote(context))
}

// readCAs reads the certificates of CAs, in PEM.
func readCAs(path string) (ca.Roots, []byte, error) {
	data, err := store.Read(path, store.MaxPEM)
	if err != nil {
		return ca.Roots{}, nil, err
	}
	items, err := ca.Decode(data, path)
	if err != nil {
		return ca.Roots{}, nil, err
	}
	roots := ca.Roots{Name: path, Certificates: ca.Certificates(items)}
	for _, cert := range roots.Certificates {
		if !cert.IsCA {
			return roots, nil, failure.New(failure.Failed, "name the file with the CA of the API server", "%q holds %s, which is not the certificate of a CA", path, ca.FormatName(cert.RawSubject))
		}
	}
	if len(roots.Certificates) == 0 {
		return roots, nil, failure.New(failure.Failed, "name the file with the CA of the API server", "there is no certificate in %q", path)
	}
	if len(items) > len(roots.Certificates) || items[0].Block == 0 { // a key is in it too, or it is DER
		data = ca.EncodeCertificates(roots.Certificates...)
	}
	return roots, data, nil
}

func latestEnd(roots ca.Roots) time.Time {
	var end time.Time
	for _, cert := range roots.Certificates {
		if cert.NotAfter.After(end) {
			end = cert.NotAfter
		}
	}
	return end
}

// planPair reads the certificate and its key, and has them embedded or named.
func (a *app) planPair(cmd *cobra.Command, f *createFlags) error {
	certFile, keyFile := f.cert, f.key
	if f.name != "" {
		prefix := ca.IssueOptions{Dir: a.dir, CommonName: f.name}.Prefix()
		certFile, keyFile = prefix+".crt", prefix+".key"
		if _, err := os.Stat(certFile); os.IsNotExist(err) {
			return failure.New(failure.Failed, "see what there is with: pkictl list; issue it with: pkictl issue --cn NAME; or name files with --cert and --key",
				"there is no certificate %q in %q", f.name, a.dir)
		}
	}
	var err error
	if f.pair, err = kubeconfig.ReadPair(certFile, keyFile, a.now()); err != nil {
		return err
	}
	if err := a.checkIssuer(cmd, f); err != nil {
		return err
	}
	a.warn(f.pair.Warnings...)
	if f.entry.User = f.user; f.user == "" {
		f.entry.User = f.pair.Certificate().Subject.CommonName
	}
	f.entry.CertPEM, f.entry.KeyPEM = f.pair.CertPEM, f.pair.KeyPEM
	if !f.reference {
		return nil
	}
	f.pair.CertFile, f.pair.KeyFile, err = absolute(f.pair.CertFile, f.pair.KeyFile)
	f.entry.CertFile, f.entry.KeyFile = f.pair.CertFile, f.pair.KeyFile
	return err
}

func absolute(a, b string) (string, string, error) {
	absA, err := filepath.Abs(a)
	if err != nil {
		return "", "", err
	}
	absB, err := filepath.Abs(b)
	return absA, absB, err
}

// checkIssuer holds the certificate against the CA that signed it, where that
// is known: the one beside it.
func (a *app) checkIssuer(cmd *cobra.Command, f *createFlags) error {
	if f.name != "" && !noCA(a.dir) {
		authority, err := ca.Open(a.dir)
		if err != nil {
			return err
		}
		roots := ca.Roots{Name: ca.CertPath(a.dir), Certificates: authority.Bundle()}
		return f.pair.CheckIssuer(cmd.Context(), roots, a.dir, a.now())
	}
	if len(f.entry.CAPEM) == 0 {
		return nil
	}
	items, err := ca.Decode(f.entry.CAPEM, "the CA of the server")
	if err != nil {
		return err
	}
	return f.pair.CheckIssuer(cmd.Context(), ca.Roots{Name: "the kubeconfig", Certificates: ca.Certificates(items)}, "", a.now())
}

type createResult struct {
	typeMeta
	File       string     `json:"file"`
	Context    string     `json:"context"`
	Cluster    string     `json:"cluster"`
	Server     string     `json:"server"`
	User       string     `json:"user"`
	Namespace  string     `json:"namespace,omitempty"`
	CommonName string     `json:"commonName"`
	Groups     []string   `json:"groups,omitempty"`
	NotAfter   *time.Time `json:"notAfter,omitempty"`
	Plugin     []string   `json:"plugin,omitempty"` // the command line of an exec plugin
	DryRun     bool       `json:"dryRun,omitempty"`
}

func (a *app) printCreated(f *createFlags) error {
	result := createResult{
		typeMeta: kind("Kubeconfig"), File: f.out, Context: f.entry.Context(), Cluster: f.entry.Cluster, Server: f.entry.Server,
		User: f.entry.User, Namespace: f.entry.Namespace, CommonName: f.name, Groups: f.plugin.groups, Plugin: f.plugin.line, DryRun: f.dryRun,
	}
	end := ""
	if f.pair != nil {
		cert := f.pair.Certificate()
		result.CommonName, result.Groups, result.NotAfter = cert.Subject.CommonName, cert.Subject.Organization, &cert.NotAfter
		end = ends(cert.NotAfter, a.now())
	}
	first := "Wrote " + printable(f.out)
	if f.dryRun {
		first = "Would write " + printable(f.out) + " (dry run: nothing was written)"
	}
	return a.print(result, func(w io.Writer) {
		fmt.Fprintln(w, first)
		printRows(w, "  ",
			row{"context", result.Context},
			row{"server", result.Server},
			row{"user", result.CommonName},
			row{"groups", strings.Join(result.Groups, ", ")},
			row{"namespace", result.Namespace},
			row{"ends", end},
			row{"runs", strings.Join(result.Plugin, " ")},
			row{"try it", "kubectl --kubeconfig " + f.out + " auth whoami"},
		)
	})
}
