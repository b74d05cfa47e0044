package csr

import (
	"context"
	"crypto/x509"
	"errors"
	"path/filepath"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/kubeclient"
	"github.com/pkictl/pkictl/internal/store"
	"github.com/pkictl/pkictl/kubeconfig"
)

// RenewUserOptions is what the command user renew takes for one file.
type RenewUserOptions struct {
	File     string        // the kubeconfig
	For      time.Duration // 0: as long as before
	Key      string        // name of a ca.KeyKind; empty: as before
	ReuseKey bool
	Force    bool // start anew what was begun with other options
	DryRun   bool
	Now      time.Time
	Waiting  func()
	Begin    func(Step)
	Done     func(step Step, detail string)
	Notify   func(string)
	Login    func(path string) (*kubeclient.Client, error)
}

// RenewedUser is what RenewUser made.
type RenewedUser struct {
	Name     string     `json:"name"`
	File     string     `json:"file"`
	Object   string     `json:"certificateSigningRequest,omitempty"`
	Old      Credential `json:"replaced,omitzero"`
	New      Credential `json:"certificate,omitzero"`
	Resumed  bool       `json:"resumed,omitempty"`
	Warnings []string   `json:"-"`
}

// UserCertificate returns the certificate of the current user of a kubeconfig,
// which is embedded, and the user's name.
func UserCertificate(path string) (*x509.Certificate, string, error) {
	cert, user, _, err := currentUser(path)
	if err != nil {
		return nil, "", err
	}
	return cert, user.name, nil
}

type fileUser struct {
	name    string
	info    *api.AuthInfo
	cluster *api.Cluster
}

// currentUser reads a kubeconfig and what its current context names.
func currentUser(path string) (*x509.Certificate, fileUser, []byte, error) {
	var u fileUser
	data, err := store.Read(path, store.MaxYAML)
	if err != nil {
		return nil, u, nil, err
	}
	config, err := kubeconfig.Parse(data, path)
	if err != nil {
		return nil, u, nil, err
	}
	chosen := config.Contexts[config.CurrentContext]
	if chosen == nil || config.AuthInfos[chosen.AuthInfo] == nil {
		return nil, u, nil, failure.New(failure.Failed, "set it with: kubectl config use-context NAME --kubeconfig "+path, "kubeconfig %q has no current context with a user", path)
	}
	u = fileUser{chosen.AuthInfo, config.AuthInfos[chosen.AuthInfo], config.Clusters[chosen.Cluster]}
	certs := kubeconfig.Certificates(u.info)
	if len(certs) == 0 {
		return nil, u, nil, failure.New(failure.Failed, "name a kubeconfig that pkictl user add has written", "kubeconfig %q has no certificate embedded for user %q", path, u.name)
	}
	return certs[0], u, data, nil
}

// RenewUser has the cluster sign a certificate with the subject of the one in
// a kubeconfig, and puts it and its key into their place; all else in the file
// stays, to the byte. An error says what is done; the same call goes on from
// there.
func RenewUser(ctx context.Context, c *kubeclient.Client, o RenewUserOptions) (*RenewedUser, error) {
	path, err := filepath.EvalSymlinks(o.File) // the file itself is replaced, not a link to it
	if err != nil {
		return nil, store.ReadError(err, o.File)
	}
	r := &renewer{c: c, o: o, path: path}
	if err := r.read(); err != nil {
		return nil, err
	}
	if o.DryRun {
		_, err := r.grant()
		return &r.result, err
	}
	release, err := kubeconfig.Lock(ctx, path, o.Waiting)
	if err != nil {
		return nil, err
	}
	defer release()
	dropUnfinished(path)
	if err := r.read(); err != nil { // another may have renewed it
		return nil, err
	}
	return r.run(ctx)
}

// renewer is one run of RenewUser. It uses the steps of adder.
type renewer struct {
	c      *kubeclient.Client
	o      RenewUserOptions
	path   string
	data   []byte
	old    *x509.Certificate
	user   fileUser
	result RenewedUser
}

func (r *renewer) read() error {
	cert, user, data, err := currentUser(r.path)
	if err != nil {
		return err
	}
	r.old, r.user, r.data = cert, user, data
	r.result = RenewedUser{Name: cert.Subject.CommonName, File: r.o.File, Old: CredentialOf(cert)}
	return r.sameCluster()
}

// sameCluster refuses a kubeconfig of another cluster than the one that is asked.
func (r *renewer) sameCluster() error {
	if r.user.cluster == nil || r.user.cluster.Server == r.c.Server() {
		return nil
	}
	roots, err := r.c.CAPEM()
	if err != nil {
		return err
	}
	if len(roots) > 0 && slices.Equal(roots, r.user.cluster.CertificateAuthorityData) {
		return nil // by another address
	}
	return failure.New(failure.Failed, "name the cluster's administrator with --kubeconfig and --context",
		"kubeconfig %q is for the cluster at %s, and not the one at %s", r.path, kubeclient.ShowURL(r.user.cluster.Server), kubeclient.ShowURL(r.c.Server()))
}

// grant is what the old certificate stands for.
func (r *renewer) grant() (UserGrant, error) {
	g := UserGrant{Name: r.old.Subject.CommonName, Groups: r.old.Subject.Organization, Via: ViaCSR, Key: r.o.Key}
	lifetime := r.o.For
	if lifetime == 0 {
		lifetime = max(lifetimeOf(r.old).Round(time.Minute), MinExpiration)
	}
	g.Seconds = int64(lifetime / time.Second)
	if !r.o.ReuseKey && g.Key == "" {
		g.Key = ca.KeyName(r.old.PublicKey)
	}
	if extra := len(r.old.Subject.Names) - len(r.old.Subject.Organization); extra > 1 {
		return g, failure.New(failure.Failed, "make a new one with: pkictl user add", "the certificate in %q has a subject with more than groups and a name", r.path)
	}
	return g, g.Check()
}

// shortLived is up to when a signer gives a backdated certificate the time by
// which it is (kubernetes pkg/controller/certificates/authority/policies.go).
const shortLived = 8 * time.Hour

// lifetimeOf returns the time for which a certificate was asked for, so that
// it is the same however often it is renewed.
func lifetimeOf(cert *x509.Certificate) time.Duration {
	d := cert.NotAfter.Sub(cert.NotBefore)
	if d <= shortLived+ca.Backdate {
		return d - ca.Backdate
	}
	return d
}

func (r *renewer) run(ctx context.Context) (*RenewedUser, error) {
	g, err := r.grant()
	if err != nil {
		return nil, err
	}
	a := &adder{c: r.c, o: AddOptions{
		UserGrant: g, Out: r.path, Force: r.o.Force, Now: r.o.Now, Begin: r.o.Begin, Done: r.o.Done, Notify: r.o.Notify, Login: r.o.Login,
	}}
	a.wait = a.waitOne
	a.many = true // what the user may do has not changed
	done, err := r.begin(a)
	if err != nil {
		return nil, err
	}
	if err := r.steps(ctx, a, done); err != nil {
		return nil, r.incomplete(a, err)
	}
	r.result.Object = a.result.Object
	return &r.result, removePending(r.path)
}

// begin reads what an interrupted run has left, or writes down a new key and
// request. Done says that the kubeconfig holds the new certificate already.
func (r *renewer) begin(a *adder) (done bool, err error) {
	want := &pending{Server: r.c.Server(), Begun: r.o.Now, Grant: a.o.UserGrant, Replaces: r.result.Old.ID}
	left, err := readPending(r.path)
	if err != nil && !r.o.Force {
		return false, err
	}
	if left != nil && left.Replaces != "" && left.Replaces != r.result.Old.ID && left.made(r.old) {
		// The file was written: what is missing comes after.
		a.pending, a.result.Resumed, r.result.Resumed = left, true, true
		r.result.Old = Credential{ID: left.Replaces}
		return true, nil
	}
	if left != nil {
		what := left.differs(want)
		foreign := left.checkRequest(r.path, r.requestOptions(a.o.UserGrant))
		if what == "" && foreign == nil {
			a.pending, a.result.Resumed, r.result.Resumed = left, true, true
			a.finished(StepKey, left.since())
			return false, nil
		}
		if what == "" && !r.o.Force {
			return false, foreign
		}
		if !r.o.Force {
			return false, failure.New(failure.Failed, "complete it with the options that it was begun with, or start anew with --force",
				"renewing %q was begun before and is not complete, but with %s: %q", r.path, what, pendingPath(r.path))
		}
	}
	a.start(StepKey)
	if err := r.request(want, a.o.UserGrant); err != nil {
		return false, err
	}
	a.pending = want
	if err := Check(a.submission()); err != nil {
		return false, err
	}
	if err := want.write(r.path); err != nil {
		return false, err
	}
	a.finished(StepKey, "")
	return false, nil
}

// requestOptions ask for the old subject and names.
func (r *renewer) requestOptions(g UserGrant) RequestOptions {
	o := RequestOptions{CommonName: g.Name, Groups: g.Groups, Key: g.Key, DNS: r.old.DNSNames, Emails: r.old.EmailAddresses}
	for _, ip := range r.old.IPAddresses {
		o.IPs = append(o.IPs, ip.String())
	}
	for _, uri := range r.old.URIs {
		o.URIs = append(o.URIs, uri.String())
	}
	return o
}

// request makes a request for the old subject and names, with a new key or the
// old one.
func (r *renewer) request(p *pending, g UserGrant) error {
	o := r.requestOptions(g)
	if !r.o.ReuseKey {
		return p.request(o)
	}
	key, err := ca.ParseKey(r.user.info.ClientKeyData, "key in "+r.path, nil)
	if err != nil {
		return err
	}
	if !ca.EqualKeys(key.Public(), r.old.PublicKey) {
		return failure.New(failure.Failed, "renew it with a new key: leave --reuse-key out", "the key in %q is not that of its certificate", r.path)
	}
	request, err := RequestFor(key, o)
	p.KeyPEM, p.RequestPEM = string(r.user.info.ClientKeyData), string(request)
	return err
}

func (r *renewer) steps(ctx context.Context, a *adder, done bool) error {
	if done {
		a.cert = r.old
		a.done = append(a.done, StepKey, StepSubmit, StepApprove, StepIssue, StepKubeconfig)
	} else if err := r.replace(ctx, a); err != nil {
		return err
	}
	a.result.Credential = CredentialOf(a.cert)
	r.result.New = a.result.Credential
	a.start(StepBinding)
	err := NoteCredential(ctx, r.c, r.result.Name, r.result.New, r.o.Now)
	if apierrors.IsForbidden(err) { // the certificate works all the same
		r.result.Warnings = append(r.result.Warnings, "the bindings do not know the new certificate: "+err.Error())
	} else if err != nil {
		return err
	}
	a.done = append(a.done, StepBinding)
	return a.check(ctx)
}

// replace obtains the certificate and puts it into the file.
func (r *renewer) replace(ctx context.Context, a *adder) error {
	cert, certPEM, err := a.obtain(ctx)
	if err != nil {
		return err
	}
	a.cert = cert
	if cert.Equal(r.old) { // with the key reused, an earlier run has written it
		a.finished(StepKubeconfig, r.path)
		return nil
	}
	a.start(StepKubeconfig)
	keyPEM := []byte(a.pending.KeyPEM)
	if r.o.ReuseKey {
		keyPEM = nil
	}
	replaced, err := kubeconfig.Replace(r.data, r.path, r.old, certPEM, keyPEM)
	if err == nil && replaced == nil {
		err = failure.New(failure.Failed, "run the same command again", "kubeconfig %q no longer holds the certificate", r.path)
	}
	if err != nil {
		return err
	}
	if err := store.ReplaceFile(store.File{Path: r.path, Data: replaced, Mode: 0o600, Keep: true}); err != nil {
		return err
	}
	a.finished(StepKubeconfig, r.path)
	return nil
}

// NoteCredential notes a certificate in the bindings of its user that pkictl
// has made, so that it is known when the request is gone. Who may change only
// some of them is refused (IsForbidden) after these.
func NoteCredential(ctx context.Context, c *kubeclient.Client, user string, credential Credential, now time.Time) error {
	bound, _, err := userBindings(ctx, c, "")
	if err != nil {
		return err
	}
	var refused error
	for _, b := range bound {
		if b.object.Labels[LabelManagedBy] != ManagedBy || len(b.others(user)) == len(b.object.Subjects) {
			continue
		}
		switch err := b.note(ctx, c, credential, now); {
		case apierrors.IsForbidden(err):
			refused = err
		case err != nil:
			return err
		}
	}
	return refused
}

func (r *renewer) incomplete(a *adder, err error) error {
	state := "the old certificate is still in it"
	if slices.Contains(a.done, StepKubeconfig) {
		state = "the new certificate is in it, but not all that follows is done"
	}
	hint := failure.HintOf(err)
	var over *overError
	if !errors.As(err, &over) {
		hint = again(err)
	}
	return failure.Wrap(err, failure.KindOf(err), hint, "kubeconfig %q is not renewed completely (%s)", r.path, state)
}
