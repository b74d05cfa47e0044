package csr

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"os"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
	"github.com/pkictl/pkictl/kubeconfig"
)

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
		Annotations: map[string]string{userAnnotation: a.o.Name}, made: a.many && a.fresh,
	}
}

// issue has the cluster sign the certificate.
func (a *adder) issue(ctx context.Context) (certPEM []byte, err error) {
	a.cert, certPEM, err = a.obtain(ctx)
	if err != nil {
		return nil, err
	}
	a.result.Credential = CredentialOf(a.cert)
	a.result.Shortened = isShortened(a.cert, a.o.Lifetime())
	return certPEM, nil
}

// isShortened says whether a certificate lives for less than was asked for. That
// is seen in the certificate alone: the signer has another clock. By what a
// signer backdates it may live longer, so that these 5 minutes go unnoticed.
func isShortened(cert *x509.Certificate, asked time.Duration) bool {
	return cert.NotAfter.Sub(cert.NotBefore) < asked-time.Minute
}

// issueAndBind is the part of one of many that waits for the API server. What
// is left, for which the next is not kept waiting, is put away by userBatch.store.
func (a *adder) issueAndBind(ctx context.Context) error {
	var err error
	if a.certPEM, err = a.issue(ctx); err != nil {
		return err
	}
	return a.bind(ctx)
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
	if err := store.ReplaceFile(store.File{Path: a.o.Out, Data: data, Mode: 0o600}); err != nil {
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
	case !ca.EqualKeys(key.Public(), cert.PublicKey), cert.Subject.CommonName != a.o.Name,
		!slices.Equal(slices.Sorted(slices.Values(cert.Subject.Organization)), slices.Sorted(slices.Values(a.o.Groups))):
		return nil, failure.New(failure.Failed, "see what the signer of the cluster does; the certificate is in: kubectl get csr "+object.Name+" -o yaml",
			"the certificate that was signed is not what was asked for")
	case !cert.NotAfter.After(a.pending.Begun) && !a.o.Now.Before(a.pending.Begun): // it was signed after that
		return nil, failure.New(failure.Failed, "set the clock of this machine, or that of the cluster",
			"the clocks of this machine and of the signer differ: here it is %s, and the certificate that was signed just now ended at %s",
			a.o.Now.UTC().Format(time.RFC3339), cert.NotAfter.UTC().Format(time.RFC3339))
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
		user, err := whoIs(ctx, login)
		switch {
		case apierrors.IsUnauthorized(err) && a.o.Via == ViaCA:
			_ = os.Remove(pendingPath(a.o.Out))
			return &overError{failure.New(failure.Failed, "name the directory of the cluster's CA with --dir, or use --via csr",
				"the API server does not accept what the CA in %q has signed: it is not a client CA of this cluster", a.o.Dir)}
		case apierrors.IsForbidden(err): // before Kubernetes 1.28
			a.warn("for whom the API server takes the certificate is not known: " + err.Error())
		case err != nil:
			return err
		case user.Username == "":
			a.warn("for whom the API server takes the certificate is not known: it can tell since Kubernetes 1.28")
		case user.Username != a.o.Name:
			return failure.New(failure.Failed, "see how the API server maps certificates to users", "the API server takes the certificate of %q for user %q", a.o.Name, user.Username)
		}
		a.result.Groups = user.Groups
		if a.many {
			return nil
		}
		if user.Username == "" { // it cannot tell
			user.Username, user.Groups = a.o.Name, withAuthenticated(a.o.Groups)
		}
		if a.result.Access, err = AccessOfLogin(ctx, a.c, login, user.Username, user.Groups, a.o.Namespace); apierrors.IsForbidden(err) {
			a.warn("what the user may do is not known: " + err.Error())
			err = nil
		}
		if err == nil {
			a.finished(StepCheck, a.o.Name)
		}
		return err
	})
}

// placesOf are those in which it is asked what a user may do.
func placesOf(namespace string) []string { return []string{cmp.Or(namespace, "default")} }

func (a *adder) entry() kubeconfig.Entry {
	entry := kubeconfig.EntryFor(a.c)
	entry.User, entry.Namespace = a.o.Name, a.o.Namespace
	return entry
}

func (a *adder) warn(text string) { a.result.Warnings = append(a.result.Warnings, text) }

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
