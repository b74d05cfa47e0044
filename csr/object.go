package csr

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/kubeclient"
)

// Object is a certificate signing request in the API of a cluster.
type Object = certificatesv1.CertificateSigningRequest

// State is what has become of an Object.
type State string

// The states of an Object, as kubectl shows them, in small letters.
const (
	StatePending  State = "pending"
	StateApproved State = "approved" // and not signed yet
	StateIssued   State = "issued"
	StateDenied   State = "denied"
	StateFailed   State = "failed"

	// An EndedError also says these.
	StateMissing  State = "missing"  // there is none, or no longer
	StateDeleted  State = "deleted"  // while it was waited for
	StateReplaced State = "replaced" // by another of the same name
)

// States lists the states of an Object that is there.
func States() []State {
	return []State{StatePending, StateApproved, StateIssued, StateDenied, StateFailed}
}

// StateOf returns what has become of an object. Denied is final; so is a
// certificate.
func StateOf(object *Object) State {
	switch {
	case conditionOf(object, certificatesv1.CertificateDenied) != nil:
		return StateDenied
	case len(object.Status.Certificate) > 0:
		return StateIssued
	case conditionOf(object, certificatesv1.CertificateFailed) != nil:
		return StateFailed
	case conditionOf(object, certificatesv1.CertificateApproved) != nil:
		return StateApproved
	}
	return StatePending
}

// conditionOf returns the condition of that type, nil where there is none.
func conditionOf(object *Object, kind certificatesv1.RequestConditionType) *certificatesv1.CertificateSigningRequestCondition {
	i := slices.IndexFunc(object.Status.Conditions, func(c certificatesv1.CertificateSigningRequestCondition) bool {
		return c.Type == kind && c.Status != corev1.ConditionFalse
	})
	if i < 0 {
		return nil
	}
	return &object.Status.Conditions[i]
}

// EndedError says that a request will never have a certificate.
type EndedError struct {
	State           State // denied, failed, missing, deleted or replaced
	Reason, Message string
}

func (e *EndedError) Error() string {
	said := strings.Join(slices.DeleteFunc([]string{e.Reason, e.Message}, func(s string) bool { return s == "" }), ": ")
	if said != "" {
		said = " (" + said + ")"
	}
	switch e.State {
	case StateDenied:
		return "it was denied" + said
	case StateFailed:
		return "its signer failed it" + said
	case StateDeleted:
		return "it was deleted while it was waited for"
	case StateReplaced:
		return "it was deleted, and there is another of that name now"
	}
	return "not found; it never was, or was deleted since"
}

const newRequestHint = "submit a request with a new key (pkictl csr new), or the same under another name with --name"

// ended returns why the object will never have a certificate, nil while it may.
func ended(object *Object) error {
	e := &EndedError{State: StateOf(object)}
	hint := newRequestHint
	kind := failure.Failed
	switch e.State {
	case StateDenied:
		kind = failure.Refused
		hint = "ask who denied it; then " + newRequestHint
		c := conditionOf(object, certificatesv1.CertificateDenied)
		e.Reason, e.Message = c.Reason, c.Message
	case StateFailed:
		c := conditionOf(object, certificatesv1.CertificateFailed)
		e.Reason, e.Message = c.Reason, c.Message
	default:
		return nil
	}
	return failure.Wrap(e, kind, hint, "certificate signing request %q", object.Name)
}

// gone is the error about an object that is not there.
func gone(name string, state State) error {
	hint := "look for it with: pkictl csr list; a cluster deletes them 1 hour after they were issued, denied or failed, and 24 after they were sent"
	if state != StateMissing {
		hint = "submit it again"
	}
	return failure.Wrap(&EndedError{State: state}, failure.Failed, hint, "certificate signing request %q", name)
}

// objectPath returns the path of an object, whose name becomes a segment of it
// (apimachinery, pkg/api/validation/path).
func objectPath(name string) (string, error) {
	if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/%") || len(name) > validation.DNS1123SubdomainMaxLength {
		return "", failure.New(failure.Usage, "look for it with: pkictl csr list", "%q is not the name of a certificate signing request", name)
	}
	return kubeclient.CertificateSigningRequests + "/" + name, nil
}

// checkObjectName checks a name for a new object. The API server takes nearly
// everything; what people have to type should not need quotes.
func checkObjectName(name string) error {
	if name != "" && len(validation.IsDNS1123Subdomain(name)) > 0 {
		return failure.New(failure.Usage, "write small letters, digits, '-' and '.', at most 253, as in jane-2", "%q is not a name for a certificate signing request", shorten(name))
	}
	return nil
}

func shorten(s string) string {
	if runes := []rune(s); len(runes) > 60 {
		return string(runes[:60]) + "…"
	}
	return s
}

// Get reads the object of that name. Where there is none the error holds an
// EndedError with StateMissing.
func Get(ctx context.Context, c *kubeclient.Client, name string) (*Object, error) {
	at, err := objectPath(name)
	if err != nil {
		return nil, err
	}
	object := &Object{}
	err = c.Get(ctx, at, object)
	if apierrors.IsNotFound(err) {
		return nil, gone(name, StateMissing)
	}
	if err != nil {
		return nil, fmt.Errorf("certificate signing request %q: %w", name, err)
	}
	return object, nil
}

// get is Get for an object that was there before.
func get(ctx context.Context, c *kubeclient.Client, name string, old *Object) (*Object, error) {
	object, err := Get(ctx, c, name)
	switch {
	case err != nil && isMissing(err):
		return nil, gone(name, StateDeleted)
	case err == nil && old != nil && old.UID != object.UID:
		return nil, gone(name, StateReplaced)
	}
	return object, err
}

func isMissing(err error) bool {
	var e *EndedError
	return errors.As(err, &e) && e.State == StateMissing
}

// isLost says whether a request may have been carried out, though its answer
// never came: the connection broke.
func isLost(err error) bool {
	var answered apierrors.APIStatus
	if err == nil || errors.As(err, &answered) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return false
	}
	var transport *url.Error
	if errors.As(err, &transport) {
		err = transport.Err
	}
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) ||
		strings.Contains(err.Error(), "http2: client connection") || strings.Contains(err.Error(), "unexpected EOF")
}

// Pauses between attempts, in which a client waits for a server to come back.
const (
	attempts   = 4
	firstPause = 50 * time.Millisecond
	lastPause  = 5 * time.Second
)

// pause waits, longer each time, or until ctx ends.
func pause(ctx context.Context, attempt int) error {
	timer := time.NewTimer(min(firstPause<<min(attempt, 10), lastPause))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
