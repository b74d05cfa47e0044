package csr

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/kubeclient"
	"github.com/pkictl/pkictl/kubeconfig"
)

// MintByCA returns what makes credentials with the CA in a PKI directory. The
// inventory has them; files there are none. Warn may be called.
func MintByCA(o ca.IssueOptions, warn func(...string)) kubeconfig.Mint {
	return func(ctx context.Context, _ *kubeconfig.Minting) (certPEM, keyPEM []byte, err error) {
		c, warnings, err := ca.Mint(ctx, o)
		if errors.Is(err, context.DeadlineExceeded) {
			return nil, nil, failure.New(failure.Failed, "try again when it is done", "another pkictl is changing %q", o.Dir)
		}
		warn(warnings...)
		return c.CertPEM, c.KeyPEM, err
	}
}

// CredentialRequest says how credentials are had by certificate signing
// requests.
type CredentialRequest struct {
	RequestOptions
	Lifetime time.Duration
	Allow    []string // as in SubmitOptions
	Now      func() time.Time
	// Connect returns a client of the API server with the credential of the
	// kubeconfig. It is called when a request is to be sent, and not before.
	Connect func() (*kubeclient.Client, error)
	// Approve has the requests approved with the rights of whoever sends them.
	Approve bool
}

// options is what is submitted for a key.
func (r CredentialRequest) options(requestPEM []byte) SubmitOptions {
	return SubmitOptions{RequestPEM: requestPEM, Expiration: r.Lifetime, Allow: r.Allow}
}

// Check says whether the request keeps Kubernetes' rules, before anything is
// sent or kept.
func (r CredentialRequest) Check() error {
	_, requestPEM, err := NewRequest(RequestOptions{CommonName: r.CommonName, Groups: r.Groups})
	if err != nil {
		return err
	}
	return Check(r.options(requestPEM))
}

// Mint gets a credential by a request for a new key. It speaks with the
// credential that is to be renewed as long as that one holds, and else, or
// where that one may not, with that of the kubeconfig. A request that waits for
// its approval is found again by the next Mint, which goes on with it.
func (r CredentialRequest) Mint(ctx context.Context, m *kubeconfig.Minting) (certPEM, keyPEM []byte, err error) {
	base, err := r.Connect()
	if err != nil {
		return nil, nil, err
	}
	speakers := []*kubeclient.Client{base}
	if m.Held != nil {
		holder, err := base.WithCertificate(m.Held.CertPEM, m.Held.KeyPEM)
		if err != nil {
			return nil, nil, err
		}
		speakers = []*kubeclient.Client{holder, base}
	}
	for i, speaking := range speakers {
		certPEM, keyPEM, err = r.ask(ctx, speaking, m)
		if err == nil || !mayNot(err) || ctx.Err() != nil {
			return certPEM, keyPEM, timely(ctx, err, speaking)
		}
		if i == 0 && m.Held != nil && base.Plugin() != "" {
			break // most likely the very command that this is
		}
	}
	return nil, nil, err
}

// mayNot says whether the API server refused whoever spoke.
func mayNot(err error) bool { return apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err) }

// timely says who did not answer in the time that there was.
func timely(ctx context.Context, err error, c *kubeclient.Client) error {
	var known *failure.Error
	if err == nil || errors.As(err, &known) || !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return err
	}
	return failure.New(failure.Failed, "look whether it runs, or give it longer with --wait", "the API server %s did not answer in time", kubeclient.ShowURL(c.Server()))
}

// ask sends the request and waits for its certificate.
func (r CredentialRequest) ask(ctx context.Context, c *kubeclient.Client, m *kubeconfig.Minting) (certPEM, keyPEM []byte, err error) {
	for range 2 {
		key, keyPEM, err := r.key(m)
		if err != nil {
			return nil, nil, err
		}
		object, err := r.submit(ctx, c, key)
		if err != nil {
			return nil, nil, err
		}
		if object, err = r.wait(ctx, c, object); err != nil {
			return nil, nil, err
		}
		certPEM = object.Status.Certificate
		if !isOver(certPEM, r.Now()) {
			return certPEM, keyPEM, nil
		}
		m.DropPending() // it was issued long ago, and nobody took it
	}
	return nil, nil, failure.New(failure.Failed, "check the clocks of this machine and of the signer", "the signer's certificate for %q has ended", r.CommonName)
}

// key returns the key of the request that is on its way, or a new one, which is
// kept until the certificate is there: the same key gives the same request.
func (r CredentialRequest) key(m *kubeconfig.Minting) (crypto.Signer, []byte, error) {
	if data := m.Pending(); data != nil {
		key, err := ca.ParseKey(data, "pending", nil)
		if err == nil && (m.Held == nil || !ca.EqualKeys(key.Public(), m.Held.Certificate.PublicKey)) {
			return key, data, nil
		}
	}
	kind, err := ca.ParseKeyKind(r.Key)
	if err != nil {
		return nil, nil, err
	}
	key, err := ca.GenerateKey(kind)
	if err != nil {
		return nil, nil, err
	}
	data, err := ca.MarshalKey(key)
	if err != nil {
		return nil, nil, err
	}
	m.KeepPending(data)
	return key, data, nil
}

func (r CredentialRequest) submit(ctx context.Context, c *kubeclient.Client, key crypto.Signer) (*Object, error) {
	requestPEM, err := RequestFor(key, r.RequestOptions)
	if err != nil {
		return nil, err
	}
	object, _, err := Submit(ctx, c, r.options(requestPEM))
	if err != nil {
		return nil, advise(err, object)
	}
	if r.Approve && StateOf(object) == StatePending {
		return Approve(ctx, c, object, "by who asked for it, with pkictl credential --approve")
	}
	return object, nil
}

// wait waits for the certificate until ctx ends, and says what it waits for.
func (r CredentialRequest) wait(ctx context.Context, c *kubeclient.Client, object *Object) (*Object, error) {
	last, err := Wait(ctx, c, object.Name, object.UID, WaitOptions{Known: object})
	switch {
	case err == nil:
		return last, nil
	case !errors.Is(err, context.DeadlineExceeded):
		return nil, advise(err, object)
	case last != nil && StateOf(last) == StateApproved:
		return nil, failure.New(failure.Failed, "see whether something serves its signer, and try again",
			"certificate signing request %q is approved, and not signed", object.Name)
	}
	return nil, failure.New(failure.Failed, "have it approved with: kubectl certificate approve "+object.Name+"; then try again",
		"certificate signing request %q waits for its approval", object.Name)
}

// advise says how to ask again for what was denied or has failed: the key is
// kept, so that the same request is found as long as it is there.
func advise(err error, object *Object) error {
	var e *EndedError
	if object == nil || !errors.As(err, &e) || e.State != StateDenied && e.State != StateFailed {
		return err
	}
	return failure.Wrap(e, failure.KindOf(err), "when the reason is gone, ask again after: kubectl delete csr "+object.Name,
		"certificate signing request %q", object.Name)
}

// isOver says whether a certificate has ended. One that cannot be read is for
// others to complain about.
func isOver(certPEM []byte, now time.Time) bool {
	block, _ := pem.Decode(certPEM)
	if block == nil {
		return false
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	return err == nil && !now.Before(cert.NotAfter)
}
