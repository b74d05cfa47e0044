package tui

import (
	"cmp"
	"context"
	"path/filepath"
	"slices"
	"sync"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/kubeconfig"
)

// flowCredential makes a key and a certificate: pkictl issue.
type flowCredential struct {
	*world
	profile, dir string

	commonName        string
	groups, dns, ips  []string
	keyKind, validity string

	withKubeconfig              bool
	kubeconfig                  string
	server, cluster, namespace  string
	form                        string // of an export; empty: none
	secretName, secretNamespace string
	export, out                 string
	force                       bool

	mu    sync.Mutex
	found flowCredentialFound
	made  []step
}

// flowCredentialFound is what was looked up on the disk.
type flowCredentialFound struct {
	server, cluster string // of the current context
	paths           []string
	exists          bool // one of the paths does
}

func newFlowCredential(w *world) *flowCredential { return newFlowCredentialIn(w, "") }

// newFlowCredentialIn is for the CA in a directory, that of the wizard if empty.
func newFlowCredentialIn(w *world, dir string) *flowCredential {
	f := &flowCredential{world: w, profile: ca.ProfileClient, keyKind: string(ca.ECDSAP256)}
	if dir != w.Dir {
		f.dir = dir
	}
	f.made = []step{f.stepProfile(), f.stepName(), f.stepKey(), f.stepKubeconfig(), f.stepExport(), f.stepFiles()}
	return f
}

func (f *flowCredential) title() string { return "Credential" }

func (f *flowCredential) steps() []step { return f.made }

func (f *flowCredential) pkiDir() string { return cmp.Or(f.dir, f.Dir) }

func (f *flowCredential) isServer() bool { return f.profile != ca.ProfileClient }
func (f *flowCredential) isClient() bool { return f.profile != ca.ProfileServer }

// hasKubeconfig says whether one is to be written.
func (f *flowCredential) hasKubeconfig() bool { return f.isClient() && f.withKubeconfig }

func (f *flowCredential) isSecret() bool { return ca.ExportForm(f.form).IsSecret() }

func not(is func() bool) func() bool { return func() bool { return !is() } }

func (f *flowCredential) stepProfile() step {
	return step{
		title: "For whom?",
		intro: "A certificate says who somebody is, and its key proves it. For many at once there is: " + f.Program + " issue -f users.csv",
		load:  f.loadCA,
		fields: []field{
			{
				key: "profile", title: "For", choice: &f.profile, options: flowCredentialProfiles,
				help: "A certificate cannot be taken back from a user. Give people short ones.",
			},
			{
				key: "dir", title: "Directory of the CA", text: &f.dir, check: typedCheck(ca.CheckHasCA),
				fallback: func() string { return f.Dir },
				help:     "It signs and records the certificate. The files go there, too, unless you say otherwise.",
			},
		},
	}
}

func flowCredentialProfiles() []option {
	return []option{
		{ca.ProfileClient, "Who logs in to a cluster", "A person or a program (client). Its common name is the user, its organizations are the groups."},
		{ca.ProfileServer, "A server", "What others connect to by a DNS name or an IP address (server)."},
		{ca.ProfilePeer, "Both, as members of etcd", "It may stand for a server and for a client (peer)."},
	}
}

// loadCA says early that there is nothing to sign with.
func (f *flowCredential) loadCA(context.Context) error { return ca.CheckHasCA(f.pkiDir()) }

func (f *flowCredential) stepName() step {
	return step{
		title: "Name",
		intro: "What stands in the certificate, and cannot be changed later.",
		check: f.checkRequest,
		fields: []field{
			{
				key: "cn", title: "User (common name)", text: &f.commonName, required: true, check: typedCheck(ca.CheckCommonName), hidden: f.isServer,
				help: "What Kubernetes calls them. Names that begin with system: are parts of a cluster, as system:node:w1 is the kubelet of node w1.",
			},
			{
				key: "cn", title: "Server (common name)", text: &f.commonName, required: true, check: typedCheck(ca.CheckCommonName), hidden: not(f.isServer),
				help: "A DNS name or an IP address counts as an alternative name, too. Clients look at those alone.",
			},
			{
				key: "group", title: "Groups (organizations)", list: &f.groups, check: ca.CheckGroup,
				suggestions: fixed("developers", "oncall", "cluster-admins", ca.GroupMasters),
				help:        "Roles are bound to them. " + ca.GroupMasters + " passes every authorizer, and only a new CA takes it back: better bind cluster-admins to a role.",
			},
			{
				key: "dns", title: "Alternative DNS names", list: &f.dns, check: ca.CheckDNS, hidden: not(f.isServer),
				suggestions: fixed("localhost", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"),
				help:        "All that clients connect to, as in web.example.com or *.apps.example.com. URIs and e-mail addresses: --uri and --email of the command line.",
			},
			{
				key: "ip", title: "Alternative IP addresses", list: &f.ips, check: ca.CheckIP, hidden: not(f.isServer),
				suggestions: fixed("127.0.0.1", "::1"),
				help:        "For clients that connect to an address, as in 10.0.0.10.",
			},
		},
	}
}

// checkRequest checks the names together. How long it lives comes later.
func (f *flowCredential) checkRequest() error {
	o := f.options()
	o.Validity = ""
	_, err := o.Request()
	return err
}

func (f *flowCredential) stepKey() step {
	return step{
		title: "Key and time",
		fields: []field{
			{key: "key", title: "Key", choice: &f.keyKind, options: keyOptions, help: "It is made here and never sent anywhere."},
			{
				key: "validity", title: "Valid for", text: &f.validity, check: typedCheck(checkValidity),
				fallback: func() string { return ca.FormatValidity(ca.DefaultValidity) + ", or until the CA ends" },
				help:     "As in 90d, 8h or 1y. It works until it ends: an API server reads no revocation list.",
			},
		},
	}
}

func (f *flowCredential) stepKubeconfig() step {
	none := not(f.hasKubeconfig)
	return step{
		title:  "Kubeconfig",
		intro:  "One file with key, certificate, CA and the address of the cluster, for kubectl.",
		hidden: not(f.isClient),
		load:   f.loadServer,
		check:  f.checkEntry,
		fields: []field{
			{title: "Write one?", yes: &f.withKubeconfig, help: "It trusts this CA for the server, so the API server needs a certificate of this CA."},
			{
				key: "kubeconfig", title: "File", text: &f.kubeconfig, hidden: none, check: typedCheck(nil), fallback: f.kubeconfigFallback,
				help: "A new file of its own. To bring it into another there is: " + f.Program + " kubeconfig merge",
			},
			{
				key: "server", title: "URL of the API server", text: &f.server, hidden: none, required: true, check: typedCheck(flowCredentialCheckServer),
				suggestions: f.servers, help: "As in https://10.0.0.10:6443. That of your current context is suggested.",
			},
			{
				key: "cluster", title: "Name of the cluster", text: &f.cluster, hidden: none, check: typedCheck(flowCredentialCheckCluster),
				suggestions: f.clusters, fallback: func() string { return kubeconfig.DefaultCluster }, help: "What the kubeconfig calls it. Any name will do.",
			},
			{
				key: "namespace", title: "Namespace", text: &f.namespace, hidden: none, check: typedCheck(flowCredentialCheckNamespace),
				help: "Where kubectl looks unless told otherwise. It gives no rights there.",
			},
		},
	}
}

func (f *flowCredential) kubeconfigFallback() string {
	return filepath.Base(f.options().Prefix()) + ".conf"
}

// loadServer finds the server of the current context. That there is none is
// no error.
func (f *flowCredential) loadServer(context.Context) error {
	if f.Connect == nil {
		return nil
	}
	client, err := f.Connect("", "")
	if err != nil {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.found.server, f.found.cluster = client.Server(), client.Cluster
	return nil
}

func (f *flowCredential) servers() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.DeleteFunc([]string{f.found.server}, func(s string) bool { return flowCredentialCheckServer(s) != nil })
}

func (f *flowCredential) clusters() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.DeleteFunc([]string{f.found.cluster}, func(s string) bool { return s == "" })
}

// aServer stands for the rest of an entry of which one part is checked.
const aServer = "https://localhost:6443"

func flowCredentialCheckServer(url string) error {
	return kubeconfig.Entry{Server: url, Cluster: kubeconfig.DefaultCluster}.Validate()
}

func flowCredentialCheckCluster(name string) error {
	return kubeconfig.Entry{Server: aServer, Cluster: name}.Validate()
}

func flowCredentialCheckNamespace(name string) error {
	return kubeconfig.Entry{Server: aServer, Cluster: kubeconfig.DefaultCluster, Namespace: name}.Validate()
}

func (f *flowCredential) checkEntry() error {
	if !f.hasKubeconfig() {
		return nil
	}
	return f.entry().Validate()
}
