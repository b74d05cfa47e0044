package csr

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/kubeclient"
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
	// Begin and Done tell of the steps; detail is a name that belongs to it, and
	// of StepKey when the run that is gone on with was begun. They may be nil.
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
	// unwritten says that pending is not on the disk yet: nothing may be sent.
	unwritten bool
	pending   *pending
	fresh     bool   // this run made its request
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
		return a.rehearse(ctx)
	}
	var err error
	if a.release, err = kubeconfig.Lock(ctx, a.o.Out, a.o.Waiting); err != nil {
		return err
	}
	dropUnfinished(a.o.Out)
	return a.begin(ctx)
}

// finish does the rest.
func (a *adder) finish(ctx context.Context) (*Added, error) {
	if !a.o.DryRun {
		if err := a.steps(ctx); err != nil {
			return nil, a.incomplete(err)
		}
	}
	if a.many {
		return &a.result, nil // store does the rest
	}
	_ = a.timed(func() error { a.warnKnown(ctx); return nil }) // it fails with a warning
	a.warnLifetime()
	if a.o.DryRun {
		return &a.result, nil
	}
	return &a.result, removePending(a.o.Out)
}

// warnLifetime warns of a certificate that is shorter than asked, or long.
func (a *adder) warnLifetime() {
	if a.result.Shortened {
		a.warn(fmt.Sprintf("the cluster's signer gives less than the %s that were asked for: it ends %s",
			ca.FormatValidity(a.o.Lifetime()), ca.FormatTime(a.result.Credential.NotAfter)))
	}
	if text := a.o.Caution(); text != "" {
		a.warn(text)
	}
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
		if binding.unseen != "" {
			a.warn(binding.unseen)
		}
		err = binding.check(ctx, a.c, a.o.Name)
		if err != nil && (binding.unseen == "" || !apierrors.IsForbidden(err)) {
			return err
		}
		return binding.tryOut(ctx, a.c, a.o.Name)
	})
}

// timed counts the time in which the API server is waited for.
func (a *adder) timed(call func() error) error {
	begun := time.Now()
	err := call()
	a.result.Waited += time.Since(begun)
	return err
}

// rehearse says no to what begin, or the CA in the directory, would say no to.
func (a *adder) rehearse(ctx context.Context) error {
	left, err := a.left(a.wanted())
	if err == nil {
		err = a.checkOut(left)
	}
	if err != nil || a.o.Via != ViaCA || left != nil { // what is left knows its files
		return err
	}
	a.pending = a.wanted()
	ask := a.o.Passphrase
	if a.many {
		ask = askLater
	}
	issued, err := a.tryCA(ctx, ask)
	if err == nil {
		a.result.Warnings = append(a.result.Warnings, issued.Warnings...)
	}
	return err
}

func askLater(string) ([]byte, error) { return nil, ca.ErrAskLater }

// tryCA has the CA in the directory check what it is to issue.
func (a *adder) tryCA(ctx context.Context, ask ca.Passphrase) (*ca.IssueResult, error) {
	o := a.issueOptions()
	o.DryRun, o.Passphrase = true, ask
	return ca.Issue(ctx, o)
}

func (a *adder) wanted() *pending {
	return &pending{Server: a.c.Server(), Begun: a.o.Now, Grant: a.o.UserGrant, Overwrite: a.o.Force}
}

// left reads what an interrupted run has left, nil where that is nothing, or
// nothing to go on with.
func (a *adder) left(want *pending) (*pending, error) {
	left, err := readPending(a.o.Out)
	if err == nil && left != nil {
		if what := left.differs(want); what != "" {
			err = failure.New(failure.Failed, "complete it with the options that it was begun with, or start anew with --force",
				"adding user %q was begun before and is not complete, but with %s: %q", a.o.Name, what, pendingPath(a.o.Out))
		} else {
			err = left.checkRequest(a.o.Out, a.requestOptions())
		}
	}
	switch {
	case err != nil && a.o.Force:
		return nil, nil
	case err != nil:
		return nil, err
	}
	return left, nil
}

// begin reads what an interrupted run has left, or else makes a key and a
// request and writes them down.
func (a *adder) begin(ctx context.Context) error {
	want := a.wanted()
	left, err := a.left(want)
	if err != nil {
		return err
	}
	if err := a.checkOut(left); err != nil {
		return err
	}
	if left != nil {
		a.pending, a.result.Resumed = left, true
		a.finished(StepKey, left.since())
		return nil
	}
	a.pending = want
	if a.o.Via == ViaCA {
		if !a.many { // what is refused is not begun
			if _, err := a.tryCA(ctx, askLater); err != nil {
				return err
			}
		}
		return a.write(want)
	}
	a.start(StepKey)
	if err := want.request(a.requestOptions()); err != nil {
		return err
	}
	a.fresh = true
	if !a.many { // the grant of many was checked, and what it makes is known
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

func (a *adder) requestOptions() RequestOptions {
	return RequestOptions{CommonName: a.o.Name, Groups: a.o.Groups, Key: a.o.Key}
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
	signer, key, request, err := newRequest(o)
	p.signer, p.KeyPEM, p.RequestPEM = signer, string(key), string(request)
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
	return err == nil && ca.EqualKeys(key.Public(), cert.PublicKey)
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
