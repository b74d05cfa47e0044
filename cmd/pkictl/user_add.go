package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/csr"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/kubeclient"
)

type userAddFlags struct {
	csr.AddOptions
	lifetime   string
	via        string
	file       string // of many
	connection *connection
	explain    bool
}

func (a *app) userAddCmd() *cobra.Command {
	var f userAddFlags
	cmd := &cobra.Command{
		Use:   "add NAME | -f FILE",
		Short: "Give a person access to a cluster",
		Long: `Make a key, have the cluster sign its certificate, write a kubeconfig with both,
bind the user to a role, and call the API server as that user to see what is
allowed. The key never leaves this machine.

With --namespace and --role the user gets the role in that namespace: its own
one of that name, or else the cluster role, such as view, edit or admin. With
--cluster-role it is for the whole cluster. With neither, nothing is bound:
groups may be already.

An API server reads no revocation list: the certificate works until it ends, so
--for is short. What it may do is taken back with: pkictl user remove.

The certificate comes by the cluster's certificates API: it takes the rights to
create and approve requests of the signer kubernetes.io/kube-apiserver-client.
With --via ca the CA in the PKI directory signs, which must be the cluster's.

When it fails on the way, it says what is done; the same command again goes on
from there, with the same key and request. What it needs for that is beside the
kubeconfig, in a file that ends in .pending, until all is in place.

With -f there is a user for each line of a CSV file, whose first line names the
columns, of name, group, namespace, role, cluster-role and for, with ';' between
several groups. Flags say what a line leaves out; --out names a directory. A line
that fails is reported with its number and does not stop the others. Run it
again after an interruption: who has a kubeconfig is skipped.`,
		Example: `  pkictl user add uma --group developers --namespace default --role view --for 8h
  kubectl --kubeconfig uma.conf get pods
  pkictl user add ugo --cluster-role view --for 10m --out ugo-today.conf
  printf 'name,group\nulla,developers\nusha,developers;oncall\n' > users.csv
  pkictl user add -f users.csv --namespace default --role edit`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return a.userAdd(cmd, args, f) },
	}
	flags := cmd.Flags()
	flags.StringArrayVar(&f.Groups, "group", nil, "`GROUP` (organization); may be given several times")
	flags.StringVar(&f.Namespace, "namespace", "", "`NAMESPACE` of the role, and of the context in the kubeconfig")
	flags.StringVar(&f.Role, "role", "", "`ROLE` in the namespace: view, edit, admin or another")
	flags.StringVar(&f.ClusterRole, "cluster-role", "", "`ROLE` for the whole cluster")
	flags.StringVar(&f.lifetime, "for", "24h", "`TIME` for which the certificate is valid, as in 8h; at least 10m by the certificates API")
	flags.StringVar(&f.via, "via", string(csr.ViaCSR), "`WAY` to have it signed: csr, by the cluster, or ca, by the CA in the PKI directory")
	flags.StringVar(&f.Key, "key", string(ca.ECDSAP256), "`KIND` of key: "+keyKinds())
	flags.StringVar(&f.Out, "out", "", "`FILE` for the kubeconfig (default NAME.conf), or with -f directory")
	flags.StringVarP(&f.file, "file", "f", "", "add a user for each line of this CSV `FILE`, or of - for standard input")
	flags.BoolVar(&f.Force, "force", false, "replace a kubeconfig that is there, and start anew what was begun with other options")
	f.connection = addConnection(cmd)
	f.Passphrase = a.addPassphrase(cmd)
	addDryRun(cmd, &f.DryRun)
	addExplain(cmd, &f.explain)
	complete(cmd, "role", "view", "edit", "admin")
	complete(cmd, "cluster-role", "view", "edit", "admin", "cluster-admin")
	complete(cmd, "via", string(csr.ViaCSR), string(csr.ViaCA))
	complete(cmd, "key", ca.KeyKindNames()...)
	return cmd
}

func (a *app) userAdd(cmd *cobra.Command, args []string, f userAddFlags) error {
	lifetime, err := csr.ParseFor(f.lifetime)
	if err != nil {
		return err
	}
	f.Seconds, f.Via = int64(lifetime/time.Second), csr.Via(f.via)
	f.Dir, f.Now, f.Login = a.dir, a.now(), a.login(f.connection)
	switch {
	case f.file != "" && len(args) > 0:
		return failure.New(failure.Usage, "use one of them", "a name and -f exclude each other")
	case f.file != "":
		return a.userAddBatch(cmd, f)
	case len(args) == 0:
		return failure.New(failure.Usage, "give a name, as in: pkictl user add jane; or many with -f FILE", "nobody was named to add")
	}
	f.Name = args[0]
	if err := f.Check(); err != nil {
		return err
	}
	f.Out = cmp.Or(f.Out, csr.UserFile("", f.Name))
	client, err := a.connect(f.connection)
	if err != nil {
		return err
	}
	if f.explain {
		return a.explain(csr.ExplainAdd(client, f.AddOptions, f.connection.kubectl()))
	}
	steps := a.newSteps()
	defer steps.clear()
	f.Begin = func(step csr.Step) { steps.begin("%s", step.Doing()) }
	f.Done = func(step csr.Step, detail string) { steps.done("%s", printable(step.Did(detail))) }
	f.Notify = func(text string) { steps.clear(); a.warn(text) }
	f.Waiting = func() { a.waitingFor(f.Out) }
	added, err := csr.AddUser(cmd.Context(), client, f.AddOptions)
	steps.clear()
	if err != nil {
		return err
	}
	a.warn(added.Warnings...)
	return a.printAdded(f, added)
}

// login returns what connects with a kubeconfig that was written.
func (a *app) login(c *connection) func(string) (*kubeclient.Client, error) {
	return func(path string) (*kubeclient.Client, error) {
		return a.connect(&connection{file: path, timeout: c.timeout})
	}
}

type userResult struct {
	typeMeta
	csr.UserGrant
	KubeconfigFile string           `json:"kubeconfigFile"`
	Request        string           `json:"certificateSigningRequest,omitempty"`
	Certificate    *csr.Credential  `json:"certificate,omitempty"`
	Binding        *csr.UserBinding `json:"binding,omitempty"`
	Resumed        bool             `json:"resumed,omitempty"`
	Access         *csr.Access      `json:"access,omitempty"`
	// WaitedSeconds is how long it took the API server to answer, all in all.
	WaitedSeconds float64 `json:"waitedSeconds"`
	DryRun        bool    `json:"dryRun,omitempty"`
}

func (a *app) printAdded(f userAddFlags, added *csr.Added) error {
	r := userResult{
		typeMeta: kind("User"), UserGrant: added.Grant, KubeconfigFile: added.Out, Request: added.Object, Binding: added.Binding,
		Resumed: added.Resumed, Access: added.Access, WaitedSeconds: added.Waited.Seconds(), DryRun: f.DryRun,
	}
	if !f.DryRun {
		r.Certificate = &added.Credential
	}
	return a.print(r, func(w io.Writer) {
		name := printable(r.Name)
		first := "Added " + name
		if f.DryRun {
			first = "Would add " + name + " (dry run: nothing was sent or written)"
		}
		fmt.Fprintln(w, first)
		rows := []row{{"groups", strings.Join(r.Groups, ", ")}, {"binding", added.BoundTo()}}
		if r.Certificate != nil {
			rows = append(rows, row{"serial", r.Certificate.Serial}, row{"ends", ends(r.Certificate.NotAfter, a.now()) + "; nothing takes it back before"})
		}
		printRows(w, "  ", append(rows, row{"kubeconfig", r.KubeconfigFile})...)
		if added.Access != nil {
			printAccess(w, "  ", added.Access)
		}
		if !f.DryRun {
			fmt.Fprintf(w, "Next: kubectl --kubeconfig %s get pods\n", shellWord(r.KubeconfigFile))
		}
	})
}

// shellWord quotes a word for a shell where it has to be.
func shellWord(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:@+=,", r)
	}
	if s != "" && strings.Trim(s, "-_./:@+=,") != "" && !strings.ContainsFunc(s, func(r rune) bool { return !plain(r) }) {
		return s
	}
	return "'" + strings.ReplaceAll(printable(s), "'", `'\''`) + "'"
}
