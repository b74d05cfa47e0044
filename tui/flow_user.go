package tui

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/csr"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/kubeclient"
)

// flowUser gives a person access to a cluster: pkictl user add.
type flowUser struct {
	w *world

	where         string // flowUserFile, flowUserContext and a name, or empty: the current context
	file, context string // of another kubeconfig

	name   string
	groups []string

	access           string // one of flowUserAccess
	namespace        string // of the role
	contextNamespace string // where no role is bound in one
	role             string
	clusterRole      string

	lifetime, otherLifetime string
	via, dir, key           string
	out                     string
	force                   bool

	mu       sync.Mutex // of what follows: it is loaded while the fields are drawn
	contexts []kubeclient.Context
	reached  flowUserConnection // as the fields had it when they were looked at last
	offered  *csr.Offered
	from     flowUserConnection // where offered is from
	asked    bool               // from was asked, and answered with failed
	failed   error
}

// Values of where beside the empty one.
const (
	flowUserFile    = "file"
	flowUserContext = "context:"
)

// What a user may get, beside the cluster roles that every cluster has.
const (
	flowUserRole    = "role"
	flowUserCluster = "cluster"
	flowUserNothing = "none"
)

// flowUserOther is a lifetime that is typed.
const flowUserOther = "other"

// flowUserOfferTimeout is how long the cluster is waited for before the names in
// it are typed without help.
const flowUserOfferTimeout = 5 * time.Second

// flowUserConnection says which cluster, as the flags do.
type flowUserConnection struct{ file, context string }

func newFlowUser(w *world) flow {
	return &flowUser{
		w: w, access: csr.RoleView, namespace: "default", clusterRole: csr.RoleView,
		lifetime: ca.FormatValidity(csr.DefaultFor), via: string(csr.ViaCSR), key: string(ca.ECDSAP256), offered: &csr.Offered{},
	}
}

func (f *flowUser) title() string { return "User for a cluster" }

// connection is that of the cluster that was chosen. Where the wizard was told
// which kubeconfig or context to take, so are commands.
func (f *flowUser) connection() flowUserConnection {
	if f.where == flowUserFile {
		return flowUserConnection{f.file, f.context}
	}
	name, isNamed := strings.CutPrefix(f.where, flowUserContext)
	if !isNamed {
		name = f.w.Context
	}
	return flowUserConnection{f.w.Kubeconfig, name}
}

// flags are those of every command that talks to the cluster.
func (c flowUserConnection) flags() []string {
	return slices.Concat(flag("kubeconfig", c.file), flag("context", c.context))
}

// grant is what the answers ask for.
func (f *flowUser) grant() (csr.UserGrant, error) {
	g := csr.UserGrant{Name: f.name, Groups: slices.Clone(f.groups), Via: csr.Via(f.via), Key: f.key, Namespace: f.contextNamespace}
	switch f.access {
	case flowUserCluster:
		g.ClusterRole = f.clusterRole
	case flowUserNothing:
	case flowUserRole:
		g.Namespace, g.Role = f.namespace, f.role
	default:
		g.Namespace, g.Role = f.namespace, f.access
	}
	lifetime, err := csr.ParseFor(f.lasts())
	g.Seconds = int64(lifetime / time.Second)
	if err == nil && f.access != flowUserNothing && g.Role == "" && g.ClusterRole == "" {
		err = failure.New(failure.Usage, "name one, or choose another kind of access", "no role is named")
	}
	return g, err
}

// lasts is for how long the certificate is asked.
func (f *flowUser) lasts() string {
	if f.lifetime == flowUserOther {
		return f.otherLifetime
	}
	return f.lifetime
}

// pkiDir is that of the CA that signs, or else the one whose inventory is looked
// into.
func (f *flowUser) pkiDir() string {
	if f.via == string(csr.ViaCA) {
		return cmp.Or(f.dir, f.w.Dir)
	}
	return f.w.Dir
}

func (f *flowUser) options() (csr.AddOptions, error) {
	grant, err := f.grant()
	if err != nil {
		return csr.AddOptions{}, err
	}
	o := csr.AddOptions{
		UserGrant: grant, Out: f.path(), Force: f.force, Now: f.w.Now(), Dir: f.pkiDir(),
		Login: func(path string) (*kubeclient.Client, error) { return f.w.Connect(path, "") },
	}
	return o, o.Check()
}

// path is that of the kubeconfig.
func (f *flowUser) path() string {
	if f.out != "" || f.name == "" {
		return f.out
	}
	return csr.UserFile("", f.name)
}

func (f *flowUser) command() []string {
	f.look()
	c := f.connection()
	args := []string{"user", "add"}
	if f.name != "" {
		args = append(args, f.name)
	}
	args = append(args, flag("group", f.groups...)...)
	g, _ := f.grant() // what cannot be read is shown as it was typed
	args = slices.Concat(args, flag("namespace", g.Namespace), flag("role", g.Role), flag("cluster-role", g.ClusterRole))
	if asked := f.lasts(); asked != ca.FormatValidity(csr.DefaultFor) {
		args = append(args, flag("for", asked)...)
	}
	if f.via != string(csr.ViaCSR) {
		args = append(args, "--via", f.via)
	}
	if f.key != string(ca.ECDSAP256) {
		args = append(args, "--key", f.key)
	}
	args = append(args, flag("out", f.out)...)
	if f.force {
		args = append(args, "--force")
	}
	if f.via == string(csr.ViaCA) {
		args = append(args, f.w.passphraseFlag()...)
	}
	return slices.Concat(args, f.w.dirFlag(f.pkiDir()), c.flags())
}

func (f *flowUser) explain(context.Context) (string, error) {
	o, err := f.options()
	if err != nil {
		return "", err
	}
	c := f.connection()
	client, err := f.w.Connect(c.file, c.context)
	if err != nil {
		return "", err
	}
	return csr.ExplainAdd(client, o, csr.Kubectl(c.file, c.context))
}

func (f *flowUser) review(ctx context.Context, j *job) (*review, error) {
	o, client, err := f.open(j)
	if err != nil {
		return nil, err
	}
	asked := ""
	o.DryRun, o.Passphrase = true, f.w.askLater(j, &asked)
	j.begin("asking the cluster whether all of it is there")
	added, err := csr.AddUser(ctx, client, o)
	if err != nil {
		return nil, err
	}
	ends := ca.FormatEnd(o.Now.Add(o.Lifetime()), o.Now)
	return &review{
		rows: append(someRows(
			row{"user", o.Name}, row{"groups", strings.Join(o.Groups, ", ")},
			row{"cluster", "context " + client.Context + ", " + kubeclient.ShowURL(client.Server())},
			row{"gets", added.BoundTo()},
			row{"certificate", "signed by " + f.signer() + ", " + o.Key}, row{"ends", ends + "; nothing takes it back before"},
		), laterRow(asked)...),
		writes: f.writes(o), sends: f.sends(o, added), warnings: append(o.Reach(), added.Warnings...),
		question: "Add " + o.Name + "?",
	}, nil
}

// open checks the answers, and connects; nothing is sent yet.
func (f *flowUser) open(j *job) (csr.AddOptions, *kubeclient.Client, error) {
	o, err := f.options()
	if err != nil {
		return o, nil, err
	}
	o.Passphrase = j.passphrase
	o.Begin = func(step csr.Step) { j.begin(step.Doing()) }
	o.Done = func(step csr.Step, detail string) { j.done(step.Did(detail)) }
	o.Notify = j.warn
	o.Waiting = func() { j.waiting(o.Out) }
	c := f.connection()
	client, err := f.w.Connect(c.file, c.context)
	return o, client, err
}

func (f *flowUser) signer() string {
	if f.via == string(csr.ViaCA) {
		return "the CA in " + f.pkiDir()
	}
	return "the cluster"
}

// writes are the files that a user takes.
func (f *flowUser) writes(o csr.AddOptions) []fileToBe {
	var files []fileToBe
	if o.Via == csr.ViaCA {
		prefix := ca.IssueOptions{Dir: o.Dir, CommonName: o.Name}.Prefix()
		files = append(files, fileWritten(prefix+".key", 0o600, "the key"), fileWritten(prefix+".crt", 0o644, "the certificate"))
	}
	return append(files, fileWritten(o.Out, 0o600, "the kubeconfig, with certificate and key"))
}

// sends are the requests to the cluster, in words.
func (f *flowUser) sends(o csr.AddOptions, added *csr.Added) []string {
	var sends []string
	if o.Via == csr.ViaCSR {
		sends = append(sends, "create a CertificateSigningRequest for "+csr.SignerClient, "approve it, and wait for the certificate")
	}
	if b := added.Binding; b != nil {
		where := ""
		if b.Namespace != "" {
			where = " in namespace " + b.Namespace
		}
		sends = append(sends, "create "+b.Kind+" "+b.Name+where+", unless it is there")
	}
	return append(sends, "ask as "+o.Name+" what is allowed")
}

func (f *flowUser) run(ctx context.Context, j *job) (*outcome, error) {
	o, client, err := f.open(j)
	if err != nil {
		return nil, err
	}
	added, err := csr.AddUser(ctx, client, o)
	if err != nil {
		return nil, err
	}
	result := &outcome{
		headline: "Added " + o.Name,
		rows: someRows(
			row{"groups", strings.Join(o.Groups, ", ")}, row{"binding", added.BoundTo()}, row{"serial", added.Credential.Serial},
			row{"ends", ca.FormatEnd(added.Credential.NotAfter, o.Now) + "; nothing takes it back before"}, row{"kubeconfig", added.Out},
		),
		warnings: added.Warnings,
	}
	if added.Access != nil {
		for _, d := range added.Access.Dangers {
			result.warnings = append(result.warnings, "DANGER: "+o.Name+" may "+d.String()+": "+d.Why)
		}
		result.text = strings.Join(added.Access.Rights(), "\n")
	}
	flags := f.connection().flags()
	result.next = []nextStep{
		{why: "Try it", args: []string{"kubectl", "--kubeconfig", added.Out, "get", "pods"}},
		{why: "Before it ends, renew it", args: append([]string{f.w.Program, "user", "renew", added.Out}, flags...)},
		{why: "Take the access back; the certificate still logs in until it ends", args: append([]string{f.w.Program, "user", "remove", o.Name}, flags...)},
	}
	return result, nil
}

// look notes which cluster is chosen, for what is loaded beside the fields.
func (f *flowUser) look() {
	c := f.connection()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reached = c
}

// loadContexts reads the kubeconfigs that kubectl would read.
func (f *flowUser) loadContexts(context.Context) error {
	contexts, err := kubeclient.Contexts(kubeclient.Options{File: f.w.Kubeconfig, Paths: f.w.Kubeconfigs})
	f.mu.Lock()
	defer f.mu.Unlock()
	f.contexts = contexts
	return err
}

// loadOffer asks the cluster for the names that the fields offer, unless it has
// answered already.
func (f *flowUser) loadOffer(ctx context.Context) error {
	f.mu.Lock()
	c, known, err := f.reached, f.asked && f.from == f.reached, f.failed
	f.mu.Unlock()
	if known {
		return err
	}
	return f.ask(ctx, c)
}

// reloadOffer is loadOffer for a cluster that may be reachable by now.
func (f *flowUser) reloadOffer(ctx context.Context) error {
	f.mu.Lock()
	f.asked = f.asked && f.failed == nil
	f.mu.Unlock()
	return f.loadOffer(ctx)
}

func (f *flowUser) ask(ctx context.Context, c flowUserConnection) error {
	offered := &csr.Offered{}
	client, err := f.w.Connect(c.file, c.context)
	if err == nil {
		timed, cancel := context.WithTimeout(ctx, flowUserOfferTimeout)
		defer cancel()
		if offered, err = csr.Offer(timed, client); timed.Err() != nil && ctx.Err() == nil {
			err = failure.New(failure.Failed, "type the names; what is wrong shows at the end", "the API server %s gave no answer within %s",
				kubeclient.ShowURL(client.Server()), flowUserOfferTimeout)
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked, f.from, f.failed, f.offered = true, c, err, &csr.Offered{}
	if offered != nil {
		f.offered = offered
	}
	return err
}

// offer returns what the chosen cluster has, as far as it is known.
func (f *flowUser) offer() *csr.Offered {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.from != f.reached {
		return &csr.Offered{}
	}
	return f.offered
}
