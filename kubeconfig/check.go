package kubeconfig

import (
	"cmp"
	"context"
	"crypto/x509"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/kubeclient"
	"github.com/pkictl/pkictl/internal/shell"
)

// CheckOptions is what the command kubeconfig check takes.
type CheckOptions struct {
	Files    []string // kubeconfigs, each looked at by itself
	Paths    []string // without Files: looked at together as kubectl does; those that do not exist are passed over
	Contexts []string // names of those to look at; none: all
	Offline  bool     // call no server
	// Within is the time within which an end counts as found. 0: seven days, but
	// of what is short-lived on purpose the last third of its life.
	Within time.Duration
	// Dir is a PKI directory that is asked for what became of the client
	// certificates of its CA; empty: none.
	Dir string
	// Warn is told why Dir cannot be asked, and the check goes on without. Where
	// it is nil that is an error.
	Warn     func(warning string)
	Timeout  time.Duration // of each connection and request
	Agent    string        // the User-Agent
	Now      time.Time
	Progress func(done, total int) // may be nil; calls do not overlap
}

// endsSoon says whether what lives from begin to end has little time left.
func (o CheckOptions) endsSoon(begin, end time.Time) bool {
	within := o.Within
	if within == 0 {
		within = min(7*ca.Day, end.Sub(begin)/3)
	}
	return end.Sub(o.Now) < within
}

// Level says whether a finding counts.
type Level string

// The levels of a finding.
const (
	LevelFail Level = "fail" // something does not work, will not soon, or is not safe
	LevelNote Level = "note" // worth to know
)

// Finding is something that a check found.
type Finding struct {
	Level    Level    `json:"level"`
	File     string   `json:"file"`
	Contexts []string `json:"contexts,omitempty"` // that it concerns; none: the file
	Check    string   `json:"check"`
	Message  string   `json:"finding"`
	Hint     string   `json:"hint,omitempty"`
}

// CheckedFile is a kubeconfig that was looked at, or could not be.
type CheckedFile struct {
	Path  string `json:"path"`
	Mode  string `json:"mode,omitempty"`
	Error string `json:"error,omitempty"`
}

// CheckedContext is what a context stands for.
type CheckedContext struct {
	File        string   `json:"file"`
	Name        string   `json:"name"`
	Cluster     string   `json:"cluster"`
	User        string   `json:"user"`
	Namespace   string   `json:"namespace,omitempty"`
	Current     bool     `json:"current,omitempty"`
	Server      string   `json:"server,omitempty"`
	Credentials []string `json:"credentials,omitempty"` // what kinds there are, never their values
	// Ends is when the client certificate or token ends.
	Ends *time.Time `json:"ends,omitempty"`
	// ServerEnds is when the certificate ends that the server presents.
	ServerEnds *time.Time `json:"serverEnds,omitempty"`
	// Identity is who the API server says it is; nil where it was not asked, or
	// does not accept the credential.
	Identity *Identity `json:"identity,omitempty"`
	OK       bool      `json:"ok"` // no finding of LevelFail concerns it
}

// Identity is who an API server takes somebody for.
type Identity struct {
	User   string   `json:"user"`
	Groups []string `json:"groups,omitempty"`
}

// CheckReport is what Check found.
type CheckReport struct {
	OK       bool             `json:"ok"` // no finding of LevelFail
	Files    []CheckedFile    `json:"files"`
	Contexts []CheckedContext `json:"contexts"`
	Findings []Finding        `json:"findings"`

	Unread []error `json:"-"` // files that could not be read
}

// checker is a check under way.
type checker struct {
	o         CheckOptions
	report    *CheckReport
	authority *ca.CA // of o.Dir, or nil
	views     []*view
	broken    bool // a file cannot be used at all

	progress sync.Mutex
}

// view is kubeconfigs that are looked at together.
type view struct {
	config   *api.Config // its paths are absolute, or of the working directory
	name     string      // of the first file
	chosen   []string    // names of contexts, sorted
	clusters map[string]*clusterState
	users    map[string]*userState
	unusable map[string]bool   // contexts that client-go does not take
	logins   map[string]*login // by context
}

// clusterState and userState are entries that chosen contexts name.
type clusterState struct {
	name     string
	entry    *api.Cluster
	contexts []string
	trusts   []*x509.Certificate // CAs; none: those of the system
	usable   bool                // offline
	server   *served
	trusted  bool // the server presents a certificate that its clients accept
}

type userState struct {
	name     string
	entry    *api.AuthInfo
	contexts []string
	cert     *x509.Certificate
	ends     *time.Time
	askable  bool // the API server can be asked who it is
}

// Check looks at kubeconfigs: the files, what every context names, and unless
// o.Offline the servers and whether they accept the credential. No exec plugin
// is run, and no credential is sent to a server that is not verified. What is
// wrong is in the report; an error means that nothing could be checked.
func Check(ctx context.Context, o CheckOptions) (*CheckReport, error) {
	c := &checker{o: o, report: &CheckReport{Files: []CheckedFile{}, Contexts: []CheckedContext{}, Findings: []Finding{}}}
	if o.Dir != "" {
		var err error
		if c.authority, err = ca.Open(o.Dir); err != nil {
			if err := c.dirFails(ctx, err); err != nil {
				return nil, err
			}
		}
	}
	c.load()
	if err := c.choose(); err != nil {
		return nil, err
	}
	for _, v := range c.views {
		c.checkNames(v)
		c.checkClusters(v)
		if err := c.checkUsers(ctx, v); err != nil {
			return nil, err
		}
		c.checkDifferent(v)
		c.checkUsable(v)
	}
	if !o.Offline {
		c.callServers(ctx)
		c.logIn(ctx)
		c.compareCAs(ctx)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c.conclude()
	return c.report, nil
}

// dirFails has the check go on without the PKI directory, where it may.
func (c *checker) dirFails(ctx context.Context, err error) error {
	if err == nil || c.o.Warn == nil || ctx.Err() != nil {
		return err
	}
	c.o.Warn(fmt.Sprintf("what became of certificates is not looked up in %q: %v", c.o.Dir, err))
	c.authority = nil
	return nil
}

// find adds a finding that counts. The contexts are those it concerns.
func (c *checker) find(file string, contexts []string, check, hint, format string, args ...any) {
	c.report.Findings = append(c.report.Findings, Finding{
		LevelFail, file, slices.Sorted(slices.Values(contexts)), check, fmt.Sprintf(format, args...), hint,
	})
}

// note adds a finding that does not count.
func (c *checker) note(file string, contexts []string, check, hint, format string, args ...any) {
	c.find(file, contexts, check, hint, format, args...)
	c.report.Findings[len(c.report.Findings)-1].Level = LevelNote
}

// choose finds the contexts to look at, and the entries that they name.
func (c *checker) choose() error {
	left := slices.Clone(c.o.Contexts)
	for _, v := range c.views {
		v.clusters, v.users = map[string]*clusterState{}, map[string]*userState{}
		v.unusable, v.logins = map[string]bool{}, map[string]*login{}
		for _, name := range slices.Sorted(maps.Keys(v.config.Contexts)) {
			if c.o.Contexts != nil && !slices.Contains(c.o.Contexts, name) {
				continue
			}
			left = slices.DeleteFunc(left, func(s string) bool { return s == name })
			v.choose(name)
		}
	}
	if len(left) > 0 && c.report.Unread == nil && !c.broken {
		return failure.New(failure.Usage, "see: kubectl config get-contexts", "there is no context %q in the kubeconfig", left[0])
	}
	return nil
}

func (v *view) choose(name string) {
	v.chosen = append(v.chosen, name)
	chosen := v.config.Contexts[name]
	if entry := v.config.Clusters[chosen.Cluster]; entry != nil {
		state := v.clusters[chosen.Cluster]
		if state == nil {
			state = &clusterState{name: chosen.Cluster, entry: entry}
			v.clusters[chosen.Cluster] = state
		}
		state.contexts = append(state.contexts, name)
	}
	if entry := v.config.AuthInfos[chosen.AuthInfo]; entry != nil {
		state := v.users[chosen.AuthInfo]
		if state == nil {
			state = &userState{name: chosen.AuthInfo, entry: entry}
			v.users[chosen.AuthInfo] = state
		}
		state.contexts = append(state.contexts, name)
	}
}

// checkNames checks that what names another entry finds it, and the reverse.
func (c *checker) checkNames(v *view) {
	config := v.config
	current := config.CurrentContext
	switch {
	case c.o.Contexts != nil: // it is not asked for
	case current != "" && config.Contexts[current] == nil:
		c.find(v.name, nil, "current-context", "choose one with: kubectl config use-context NAME", "there is no context %q, which is the current one", current)
	case current == "" && len(config.Contexts) > 0:
		c.note(v.name, nil, "current-context", "choose one with: kubectl config use-context NAME", "no context is the current one")
	}
	for _, name := range v.chosen {
		chosen := config.Contexts[name]
		at, hint := []string{name}, "name one that is there with: kubectl config set-context "+shell.Quote(name)
		switch {
		case chosen.Cluster == "":
			c.find(chosen.LocationOfOrigin, at, "context", hint+" --cluster CLUSTER", "it names no cluster")
		case config.Clusters[chosen.Cluster] == nil:
			c.find(chosen.LocationOfOrigin, at, "context", hint+" --cluster CLUSTER", "there is no cluster %q, which it names", chosen.Cluster)
		}
		switch {
		case chosen.AuthInfo == "":
			c.find(chosen.LocationOfOrigin, at, "context", hint+" --user USER", "it names no user")
		case config.AuthInfos[chosen.AuthInfo] == nil:
			c.find(chosen.LocationOfOrigin, at, "context", hint+" --user USER", "there is no user %q, which it names", chosen.AuthInfo)
		}
	}
	if c.o.Contexts == nil {
		c.noteUnused(v)
	}
}

func (c *checker) noteUnused(v *view) {
	for _, name := range slices.Sorted(maps.Keys(v.config.Clusters)) {
		if v.clusters[name] == nil {
			c.note(v.config.Clusters[name].LocationOfOrigin, nil, "unused", "take it out with: kubectl config delete-cluster "+shell.Quote(name), "no context names cluster %q", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(v.config.AuthInfos)) {
		if v.users[name] == nil {
			c.note(v.config.AuthInfos[name].LocationOfOrigin, nil, "unused", "take it out with: kubectl config delete-user "+shell.Quote(name), "no context names user %q", name)
		}
	}
}

// checkUsable has client-go look at each context, for what is not looked for
// here.
func (c *checker) checkUsable(v *view) {
	for _, name := range v.chosen {
		if v.unusable[name] = v.namesPipe(name); v.unusable[name] {
			continue // client-go would open it, and wait; it has been found
		}
		err := clientcmd.ConfirmUsable(*v.config, name)
		if err == nil {
			continue
		}
		v.unusable[name] = true
		if !slices.ContainsFunc(c.report.Findings, func(f Finding) bool {
			return f.Level == LevelFail && slices.Contains(f.Contexts, name) && c.viewOf(f.File) == v.name
		}) {
			c.find(v.config.Contexts[name].LocationOfOrigin, []string{name}, "context", "see: kubectl config view", "kubectl does not take it: %v", err)
		}
	}
}

// namesPipe says whether an entry of a context names what is no plain file.
func (v *view) namesPipe(name string) bool {
	chosen := v.config.Contexts[name]
	var refs []reference
	if cluster := v.clusters[chosen.Cluster]; cluster != nil {
		refs = references(cluster.entry)
	}
	if user := v.users[chosen.AuthInfo]; user != nil {
		refs = append(refs, references(user.entry)...)
	}
	return slices.ContainsFunc(refs, func(ref reference) bool { return *ref.path != "" && checkPlain(*ref.path) != nil })
}

// conclude fills in what became of each context.
func (c *checker) conclude() {
	c.report.OK = true
	c.report.Findings = joined(c.report.Findings)
	failed := map[[2]string]bool{} // by view and context
	for _, f := range c.report.Findings {
		if f.Level != LevelFail {
			continue
		}
		c.report.OK = false
		for _, name := range f.Contexts {
			failed[[2]string{c.viewOf(f.File), name}] = true
		}
	}
	for _, v := range c.views {
		for _, name := range v.chosen {
			checked := v.describe(name)
			checked.OK = !failed[[2]string{v.name, name}]
			c.report.Contexts = append(c.report.Contexts, checked)
		}
	}
}

// joined makes one finding of those that differ in their contexts alone, as
// where many clusters name one server.
func joined(findings []Finding) []Finding {
	type same struct {
		level                      Level
		file, check, message, hint string
	}
	list, at := []Finding{}, map[same]int{}
	for _, f := range findings {
		key := same{f.Level, f.File, f.Check, f.Message, f.Hint}
		i, known := at[key]
		if !known {
			at[key] = len(list)
			list = append(list, f)
			continue
		}
		contexts := append(slices.Clone(list[i].Contexts), f.Contexts...)
		slices.Sort(contexts)
		list[i].Contexts = slices.Compact(contexts)
	}
	return list
}

// viewOf returns the name of the view that a file belongs to.
func (c *checker) viewOf(file string) string {
	if len(c.o.Files) == 0 && len(c.views) > 0 {
		return c.views[0].name
	}
	return file
}

func (v *view) describe(name string) CheckedContext {
	chosen := v.config.Contexts[name]
	checked := CheckedContext{
		File: cmp.Or(chosen.LocationOfOrigin, v.name), Name: name, Cluster: chosen.Cluster, User: chosen.AuthInfo, Namespace: chosen.Namespace,
		Current: name == v.config.CurrentContext,
	}
	if cluster := v.clusters[chosen.Cluster]; cluster != nil {
		checked.Server = kubeclient.ShowURL(cluster.entry.Server)
		if cluster.server != nil && len(cluster.server.certs) > 0 {
			end := cluster.server.certs[0].NotAfter.UTC()
			checked.ServerEnds = &end
		}
	}
	if user := v.users[chosen.AuthInfo]; user != nil {
		checked.Credentials, checked.Ends = Credentials(user.entry), user.ends
	}
	if login := v.logins[name]; login != nil {
		checked.Identity = login.identity
	}
	return checked
}
