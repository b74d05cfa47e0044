package csr

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/kubeclient"
	"github.com/pkictl/pkictl/internal/store"
	"github.com/pkictl/pkictl/kubeconfig"
)

// Step is a step on the way from a name to a working kubeconfig.
type Step string

// The steps in their order. With ViaCA the CA does the first four in one.
const (
	StepKey        Step = "key"
	StepSubmit     Step = "request"
	StepApprove    Step = "approval"
	StepIssue      Step = "certificate"
	StepKubeconfig Step = "kubeconfig"
	StepBinding    Step = "binding"
	StepCheck      Step = "check"
)

// AddOptions is what the command user add takes.
type AddOptions struct {
	UserGrant
	Out    string // path of the kubeconfig
	Force  bool   // replace it, and start anew what was begun with other options
	DryRun bool   // read and check everything, send and write nothing
	Now    time.Time
	// Waiting is called when another is adding the same; it may be nil.
	Waiting func()
	// Begin and Done tell of the steps; detail is a name that belongs to it. They
	// may be nil.
	Begin func(Step)
	Done  func(step Step, detail string)
	// Notify is told, in a line, why it takes long. It may be nil.
	Notify func(string)
	// Login connects with the kubeconfig that was written.
	Login func(path string) (*kubeclient.Client, error)

	// Dir, Passphrase: of the CA, for ViaCA.
	Dir        string
	Passphrase ca.Passphrase
}

// Added is what AddUser made.
type Added struct {
	Grant      UserGrant
	Out        string
	Object     string // name of the CertificateSigningRequest; empty with ViaCA
	Credential Credential
	Shortened  bool         // the signer gave less time than was asked for
	Binding    *UserBinding // nil: none
	Bound      bool         // the binding is new
	Resumed    bool         // an interrupted run was completed
	Access     *Access      // what the user may do; nil where it may not be asked for
	Groups     []string     // of which the API server says that the user is
	Warnings   []string
	Waited     time.Duration // for the API server
}

// AddUser makes a key, has its certificate signed, writes a kubeconfig with
// both, binds the user to a role, and calls the API server as that user.
//
// What it needs to go on is on the disk before anything is sent: an error says
// what is done, and the same call goes on from there, with the same key and the
// same request.
func AddUser(ctx context.Context, c *kubeclient.Client, o AddOptions) (*Added, error) {
	a := &adder{c: c, o: o, find: o.find}
	a.wait = a.waitOne
	return a.run(ctx)
}

func (a *adder) waitOne(ctx context.Context, object *Object) (*Object, error) {
	return Wait(ctx, a.c, object.Name, object.UID, WaitOptions{Known: object, Notify: a.o.Notify})
}

// userAnnotation of a request names the user that it is for.
const userAnnotation = AnnotationPrefix + "user"

// adder is one run of AddUser.
type adder struct {
	c      *kubeclient.Client
	o      AddOptions
	find   func(context.Context, *kubeclient.Client) (*UserBinding, error)
	expect func(name string) // called before a request can be issued; may be nil
	wait   func(context.Context, *Object) (*Object, error)
	many   bool // one of many: what the user may do is not asked for
	// unfinished is what store.Unfinished has found beside the kubeconfig.
	unfinished []string
	// unwritten says that pending is not on the disk yet: nothing may be sent.
	unwritten bool
	pending   *pending
	release   func() // the lock; nil: not taken
	ca        *ca.CA // nil: the cluster signs
	done      []Step
	cert      *x509.Certificate
	certPEM   []byte // of one of many, while it is in no file
	result    Added
}

func (a *adder) run(ctx context.Context) (*Added, error) {
	defer a.close()
	if err := a.open(ctx); err != nil {
		return nil, err
	}
	return a.finish(ctx)
}

// open checks everything, and has on the disk what an interrupted run needs.
// Nothing has been made in the cluster after it. Close frees what it takes.
func (a *adder) open(ctx context.Context) error {
	a.result.Grant, a.result.Out = a.o.UserGrant, a.o.Out
	if err := a.o.Check(); err != nil {
		return err
	}
	if err := a.entry().Validate(); err != nil {
		return err
	}
	if err := a.openCA(ctx); err != nil {
		return err
	}
	if err := a.prepare(ctx); err != nil {
		if failure.HintOf(err) == "" {
			err = failure.Wrap(err, failure.KindOf(err), "run the same command again", "user %q is not added, and nothing was made", a.o.Name)
		}
		return err
	}
	if a.o.DryRun {
		return a.checkOut(nil)
	}
	var err error
	if a.release, err = store.LockFile(ctx, a.o.Out, a.o.Waiting); err != nil {
		return err
	}
	if !a.many {
		a.unfinished = store.Unfinished(filepath.Dir(a.o.Out))
	}
	store.RemoveUnfinished(a.o.Out, a.unfinished)
	store.RemoveUnfinished(pendingPath(a.o.Out), a.unfinished)
	return a.begin()
}

// finish does the rest.
func (a *adder) finish(ctx context.Context) (*Added, error) {
	if a.o.DryRun {
		return &a.result, nil
	}
	if err := a.steps(ctx); err != nil {
		return nil, a.incomplete(err)
	}
	if a.many {
		return &a.result, nil // store does the rest
	}
	return &a.result, removePending(a.o.Out)
}

func (a *adder) close() {
	if a.release != nil {
		a.release()
	}
	if a.ca != nil {
		a.ca.Close()
	}
}

// prepare looks up what the grant names, before anything is made.
func (a *adder) prepare(ctx context.Context) error {
	return a.timed(func() error {
		binding, err := a.find(ctx, a.c)
		if err != nil || binding == nil {
			return err
		}
		a.result.Binding = binding
		if a.many {
			return nil // the request that makes it says whether it is there
		}
		return binding.check(ctx, a.c, a.o.Name)
	})
}

// timed counts the time in which the API server is waited for.
func (a *adder) timed(call func() error) error {
	begun := time.Now()
	err := call()
	a.result.Waited += time.Since(begun)
	return err
}

// begin reads what an interrupted run has left, or else makes a key and a
// request and writes them down.
func (a *adder) begin() error {
	want := &pending{Server: a.c.Server(), Grant: a.o.UserGrant, Overwrite: a.o.Force}
	left, err := readPending(a.o.Out)
	if err != nil && !a.o.Force {
		return err
	}
	if left != nil {
		if what := left.differs(want); what != "" {
			if !a.o.Force {
				return failure.New(failure.Failed, "complete it with the options that it was begun with, or start anew with --force",
					"adding user %q was begun before and is not complete, but with %s: %q", a.o.Name, what, pendingPath(a.o.Out))
			}
			left = nil
		}
	}
	if err := a.checkOut(left); err != nil {
		return err
	}
	if left != nil {
		a.pending, a.result.Resumed = left, true
		a.finished(StepKey, "")
		return nil
	}
	a.pending = want
	if a.o.Via == ViaCA {
		return a.write(want)
	}
	a.start(StepKey)
	if err := want.request(RequestOptions{CommonName: a.o.Name, Groups: a.o.Groups, Key: a.o.Key}); err != nil {
		return err
	}
	if !a.many { // of many Submit checks it, too, before it sends it
		if err := Check(a.submission()); err != nil {
			return err
		}
	}
	if err := a.write(want); err != nil {
		return err
	}
	a.finished(StepKey, "")
	return nil
}

// write brings what is needed to the disk; of many, several at once do that.
func (a *adder) write(p *pending) error {
	if a.many {
		a.unwritten = true
		return nil
	}
	return p.write(a.o.Out)
}

// request makes the key and the request.
func (p *pending) request(o RequestOptions) error {
	key, request, err := NewRequest(o)
	p.KeyPEM, p.RequestPEM = string(key), string(request)
	return err
}

// checkOut says no to a file in the way, unless an interrupted run has written
// it, and notes the certificate if so.
func (a *adder) checkOut(left *pending) error {
	if _, err := os.Lstat(a.o.Out); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	held := certificateIn(a.o.Out, a.o.Name)
	if left != nil && held != nil && left.made(held) {
		a.cert = held
		return nil
	}
	entry := a.entry()
	switch {
	case a.o.Force, left != nil && left.Overwrite:
		return entry.CheckReplace(a.o.Out)
	case held != nil:
		return failure.New(failure.Failed, "renew it with: pkictl user renew "+a.o.Name+"; or replace it with --force, or write another with --out FILE",
			"kubeconfig %q of user %q is there already", a.o.Out, a.o.Name)
	}
	return failure.New(failure.Failed, "choose another with --out, or replace it with --force", "%q is there already", a.o.Out)
}

// made says whether a certificate is the one that was asked for.
func (p *pending) made(cert *x509.Certificate) bool {
	if p.Grant.Via == ViaCA {
		// No other was written since: that would have been refused.
		return !p.Overwrite && slices.Equal(cert.Subject.Organization, p.Grant.Groups)
	}
	key, err := p.key()
	return err == nil && sameKey(key.Public(), cert.PublicKey)
}

// certificateIn returns the certificate of a user in a kubeconfig, nil if it is
// none or has none embedded.
func certificateIn(path, user string) *x509.Certificate {
	config, err := kubeconfig.Load(path)
	if err != nil || config.AuthInfos[user] == nil {
		return nil
	}
	certs := kubeconfig.Certificates(config.AuthInfos[user])
	if len(certs) == 0 {
		return nil
	}
	return certs[0]
}

func (a *adder) steps(ctx context.Context) error {
	switch {
	case a.cert != nil: // in the kubeconfig already
		a.done = append(a.done, StepSubmit, StepApprove, StepIssue, StepKubeconfig)
		a.result.Credential = CredentialOf(a.cert)
	case a.ca != nil:
		if err := a.issueLocally(ctx); err != nil {
			return err
		}
	case a.many:
		return a.issueAndBind(ctx)
	default:
		certPEM, err := a.issue(ctx)
		if err == nil {
			err = a.writeKubeconfig(certPEM)
		}
		if err != nil {
			return err
		}
	}
	if err := a.bind(ctx); err != nil {
		return err
	}
	return a.check(ctx)
}

func (a *adder) submission() SubmitOptions {
	return SubmitOptions{
		RequestPEM: []byte(a.pending.RequestPEM), Signer: SignerClient, Expiration: a.o.Lifetime(),
		Annotations: map[string]string{userAnnotation: a.o.Name},
	}
}

// issue has the cluster sign the certificate.
func (a *adder) issue(ctx context.Context) (certPEM []byte, err error) {
	a.cert, certPEM, err = a.obtain(ctx)
	if err != nil {
		return nil, err
	}
	a.result.Credential = CredentialOf(a.cert)
	// Of a long lifetime a signer takes off what it backdates.
	a.result.Shortened = a.cert.NotAfter.Before(a.o.Now.Add(a.o.Lifetime() - ca.Backdate - time.Minute))
	return certPEM, nil
}

// issueAndBind is the part of one of many that waits for the API server. What
// is left, for which the next is not kept waiting, is put away by store.
func (a *adder) issueAndBind(ctx context.Context) error {
	var err error
	if a.certPEM, err = a.issue(ctx); err != nil {
		return err
	}
	return a.bind(ctx)
}

// store writes the kubeconfig of one of many, and removes what is not needed any more.
func (a *adder) store() error {
	if a.certPEM != nil {
		if err := a.writeKubeconfig(a.certPEM); err != nil {
			return a.incomplete(err)
		}
	}
	return removePending(a.o.Out)
}

func (a *adder) writeKubeconfig(certPEM []byte) error {
	a.start(StepKubeconfig)
	entry := a.entry()
	var err error
	if entry.CAPEM, err = a.c.CAPEM(); err != nil {
		return err
	}
	entry.CertPEM, entry.KeyPEM = certPEM, []byte(a.pending.KeyPEM)
	data, err := entry.Marshal()
	if err != nil {
		return err
	}
	if err := store.WriteFile(a.o.Out, data, 0o600); err != nil {
		return err
	}
	a.finished(StepKubeconfig, a.o.Out)
	return nil
}

// obtain sends the request, approves it and waits for the certificate.
func (a *adder) obtain(ctx context.Context) (*x509.Certificate, []byte, error) {
	object, err := a.submit(ctx)
	if err != nil {
		return nil, nil, err
	}
	a.start(StepApprove)
	if a.expect != nil {
		a.expect(object.Name)
	}
	if len(object.Status.Certificate) == 0 {
		err = a.timed(func() error {
			object, err = Approve(ctx, a.c, object, "approved with pkictl user add")
			return err
		})
	}
	if err != nil {
		return nil, nil, a.final(err)
	}
	a.finished(StepApprove, "")
	a.start(StepIssue)
	if len(object.Status.Certificate) == 0 {
		err = a.timed(func() error {
			object, err = a.wait(ctx, object)
			return err
		})
	}
	if err != nil {
		return nil, nil, a.final(err)
	}
	cert, err := a.issued(object)
	if err != nil {
		return nil, nil, err
	}
	a.finished(StepIssue, ca.FormatSerial(cert.SerialNumber))
	return cert, object.Status.Certificate, nil
}

func (a *adder) submit(ctx context.Context) (*Object, error) {
	a.start(StepSubmit)
	var object *Object
	err := a.timed(func() (err error) {
		object, _, err = Submit(ctx, a.c, a.submission())
		return err
	})
	if err != nil {
		return nil, a.final(err)
	}
	a.result.Object = object.Name
	a.finished(StepSubmit, object.Name)
	return object, nil
}

// final takes the pending file away where the answer was no: the next run asks
// anew, with another key.
func (a *adder) final(err error) error {
	var ended *EndedError
	if !errors.As(err, &ended) {
		return err
	}
	_ = os.Remove(pendingPath(a.o.Out)) // where it stays, --force helps
	return &overError{err}
}

// overError is one after which the same request is of no use.
type overError struct{ error }

func (e *overError) Unwrap() error { return e.error }

// issued reads the certificate, and holds it against the request.
func (a *adder) issued(object *Object) (*x509.Certificate, error) {
	cert, err := certificateOf(object)
	if err != nil {
		return nil, err
	}
	key, err := a.pending.key()
	if err != nil {
		return nil, err
	}
	switch {
	case !sameKey(key.Public(), cert.PublicKey), cert.Subject.CommonName != a.o.Name,
		!slices.Equal(slices.Sorted(slices.Values(cert.Subject.Organization)), slices.Sorted(slices.Values(a.o.Groups))):
		return nil, failure.New(failure.Failed, "see what the signer of the cluster does; the certificate is in: kubectl get csr "+object.Name+" -o yaml",
			"the certificate that was signed is not what was asked for")
	case !cert.NotAfter.After(a.o.Now):
		_ = os.Remove(pendingPath(a.o.Out))
		return nil, &overError{failure.New(failure.Failed, "run the same command again: it begins anew", "the certificate that was signed for an earlier run has ended")}
	}
	return cert, nil
}

// bind makes the binding.
func (a *adder) bind(ctx context.Context) error {
	b := a.result.Binding
	if b == nil {
		return nil
	}
	a.start(StepBinding)
	err := a.timed(func() (err error) {
		a.result.Bound, err = b.ensure(ctx, a.c, a.o.Name, a.result.Credential, a.o.Now)
		return err
	})
	if err != nil {
		return err
	}
	a.finished(StepBinding, b.String())
	return nil
}

// check calls the API server with the kubeconfig that was written.
func (a *adder) check(ctx context.Context) error {
	if a.o.Login == nil {
		return nil
	}
	a.start(StepCheck)
	login, err := a.o.Login(a.o.Out)
	if err != nil {
		return err
	}
	return a.timed(func() error {
		var review authenticationv1.SelfSubjectReview
		err := login.Create(ctx, kubeclient.SelfSubjectReviews, &authenticationv1.SelfSubjectReview{}, &review)
		switch {
		case apierrors.IsUnauthorized(err) && a.o.Via == ViaCA:
			_ = os.Remove(pendingPath(a.o.Out))
			return &overError{failure.New(failure.Failed, "name the directory of the cluster's CA with --dir, or use --via csr",
				"the API server does not accept what the CA in %q has signed: it is not a client CA of this cluster", a.o.Dir)}
		case err != nil:
			return err
		}
		user := review.Status.UserInfo
		if user.Username != a.o.Name {
			return failure.New(failure.Failed, "see how the API server maps certificates to users", "the API server takes the certificate of %q for user %q", a.o.Name, user.Username)
		}
		a.result.Groups = user.Groups
		if a.many {
			return nil
		}
		if a.result.Access, err = AccessOf(ctx, login, placesOf(a.o.Namespace)); apierrors.IsForbidden(err) {
			a.result.Warnings = append(a.result.Warnings, "what the user may do is not known: "+err.Error())
			err = nil
		}
		if err == nil {
			a.finished(StepCheck, user.Username)
		}
		return err
	})
}

// placesOf are those in which it is asked what a user may do.
func placesOf(namespace string) []string { return []string{cmp.Or(namespace, "default")} }

func (a *adder) entry() kubeconfig.Entry {
	return kubeconfig.Entry{Server: a.c.Server(), Cluster: cmp.Or(a.c.Cluster, kubeconfig.DefaultCluster), User: a.o.Name, Namespace: a.o.Namespace}
}

func (a *adder) start(step Step) {
	if a.o.Begin != nil {
		a.o.Begin(step)
	}
}

func (a *adder) finished(step Step, detail string) {
	a.done = append(a.done, step)
	if a.o.Done != nil {
		a.o.Done(step, detail)
	}
}

// incomplete says what is done and what is not, and what to do.
func (a *adder) incomplete(err error) error {
	order := []Step{StepKey, StepSubmit, StepApprove, StepIssue, StepKubeconfig}
	if a.o.Via == ViaCA {
		order = []Step{StepIssue, StepKubeconfig}
	}
	if a.result.Binding != nil {
		order = append(order, StepBinding)
	}
	var done, missing []string
	if a.o.Login != nil {
		order = append(order, StepCheck)
	}
	for _, step := range order {
		if slices.Contains(a.done, step) {
			done = append(done, string(step))
		} else {
			missing = append(missing, string(step))
		}
	}
	state := "nothing is done yet"
	if len(done) > 0 {
		state = "done: " + strings.Join(done, ", ")
	}
	hint := failure.HintOf(err)
	var ended *overError
	if !errors.As(err, &ended) {
		hint = strings.TrimPrefix(hint+"; then run the same command again: it goes on from there", "; then ")
	}
	return failure.Wrap(err, failure.KindOf(err), hint, "user %q is not complete (%s; missing: %s)", a.o.Name, state, strings.Join(missing, ", "))
}
