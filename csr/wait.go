package csr

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/kubeclient"
)

// DefaultTimeout bounds Wait.
const DefaultTimeout = 5 * time.Minute

// How long a signer may take until somebody is told, and the longest that a
// watch is trusted without asking anew.
const (
	signerPatience = 30 * time.Second
	longestWatch   = 5 * time.Minute
)

// WaitOptions say what is waited for.
type WaitOptions struct {
	For     State         // StateApproved or StateIssued; empty: StateIssued
	Timeout time.Duration // 0: DefaultTimeout
	// Known is the object as it was last seen, which saves asking for it.
	Known *Object
	// Notify is told, in one line, why it takes long. It may be nil.
	Notify func(message string)
	// Patience is how long an approved request may go unsigned before Notify is
	// told. 0: 30 seconds.
	Patience time.Duration
}

// Wait follows the object of that name by a watch until it is issued, or
// approved where that is waited for. With a UID it must be the one that has it.
// Where it will never come to that the error holds an EndedError, and at the
// timeout context.DeadlineExceeded; the object as last seen comes with both.
// When connections break it goes on.
func Wait(ctx context.Context, c *kubeclient.Client, name string, uid types.UID, o WaitOptions) (*Object, error) {
	if _, err := objectPath(name); err != nil {
		return nil, err
	}
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	if o.Patience == 0 {
		o.Patience = signerPatience
	}
	if o.Notify == nil {
		o.Notify = func(string) {}
	}
	timed, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	w := &waiter{WaitOptions: o, client: c, name: name, uid: uid, last: o.Known}
	object, err := w.run(timed)
	if err != nil && ctx.Err() == nil && timed.Err() != nil {
		return w.last, w.timedOut()
	}
	return object, err
}

type waiter struct {
	WaitOptions
	client *kubeclient.Client
	name   string
	uid    types.UID
	last   *Object // nil: not seen yet

	approved bool
	slow     <-chan time.Time // says that the signer is; nil: not approved yet, or said
}

// errBroken ends a watch that tells no more.
var errBroken = errors.New("the watch ended")

func (w *waiter) run(ctx context.Context) (*Object, error) {
	fresh := w.last != nil
	for attempt := 0; ; attempt++ {
		if !fresh {
			if err := w.look(ctx); err != nil {
				return w.last, err
			}
		}
		if done, err := w.judge(); done || err != nil {
			return w.last, err
		}
		fresh = false
		progress, err := w.watch(ctx)
		if !errors.Is(err, errBroken) {
			return w.last, err
		}
		if progress {
			attempt = 0
		}
		if err := pause(ctx, attempt); err != nil {
			return w.last, err
		}
	}
}

// look asks for the object. Once it has been seen a server that does not answer
// is waited for.
func (w *waiter) look(ctx context.Context) error {
	for attempt := 0; ; attempt++ {
		object, err := Get(ctx, w.client, w.name)
		switch {
		case err == nil:
			w.last = object
			return nil
		case isMissing(err) && (w.last != nil || w.uid != ""):
			return gone(w.name, StateDeleted)
		case w.last == nil || !isPassing(err):
			return err
		case attempt == 0:
			w.Notify(fmt.Sprintf("%v; trying again", err))
		}
		if err := pause(ctx, attempt); err != nil {
			return err
		}
	}
}

// isPassing says whether an error may be over soon: no answer, or one that says
// so. What the API server has decided is final.
func isPassing(err error) bool {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return !errors.Is(err, context.Canceled)
	}
	return apierrors.IsInternalError(err) || apierrors.IsServiceUnavailable(err) || apierrors.IsServerTimeout(err) ||
		apierrors.IsTimeout(err) || apierrors.IsTooManyRequests(err)
}

// judge says whether the wait is over.
func (w *waiter) judge() (bool, error) {
	if w.uid == "" {
		w.uid = w.last.UID
	}
	if w.last.UID != w.uid {
		return false, gone(w.name, StateReplaced)
	}
	if err := ended(w.last); err != nil {
		return false, err
	}
	switch state := StateOf(w.last); {
	case state == StateIssued, state == StateApproved && w.For == StateApproved:
		return true, nil
	case state == StateApproved && !w.approved:
		w.approved, w.slow = true, time.After(w.Patience)
	}
	return false, nil
}

// tellSlow says that no signer acts, once.
func (w *waiter) tellSlow() {
	w.slow = nil
	w.Notify(fmt.Sprintf("certificate signing request %q was approved %s ago and is not signed yet; perhaps nothing serves the signer %s",
		w.name, w.Patience, w.last.Spec.SignerName))
}

// watch follows the object until it is judged, or the watch ends. Progress says
// whether anything was seen.
func (w *waiter) watch(ctx context.Context) (progress bool, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, longestWatch, errBroken)
	defer cancel()
	events, err := w.client.Watch(ctx, kubeclient.CertificateSigningRequests, metav1.ListOptions{
		FieldSelector: fields.OneTermEqualSelector(metav1.ObjectNameField, w.name).String(), ResourceVersion: w.last.ResourceVersion,
	})
	if err != nil {
		if errors.Is(context.Cause(ctx), errBroken) || isPassing(err) || apierrors.IsResourceExpired(err) || apierrors.IsGone(err) {
			return false, errBroken
		}
		return false, err
	}
	defer events.Stop()
	for {
		select {
		case <-ctx.Done():
			return progress, context.Cause(ctx)
		case <-w.slow:
			w.tellSlow()
		case event, open := <-events.ResultChan():
			if !open || event.Type == watch.Error { // such as 410: the resource version is too old
				return progress, errBroken
			}
			object, is := event.Object.(*Object)
			if !is {
				continue // a bookmark
			}
			progress = true
			if event.Type == watch.Deleted {
				return progress, w.deleted(object)
			}
			w.last = object
			if done, err := w.judge(); done || err != nil {
				return progress, err
			}
		}
	}
}

// deleted says what a deletion means. Who is denied is told so, and who has a
// certificate has it, though the object is gone.
func (w *waiter) deleted(object *Object) error {
	w.last = object
	if done, err := w.judge(); done || err != nil {
		return err
	}
	return gone(w.name, StateDeleted)
}

func (w *waiter) timedOut() error {
	state := "it could not be read"
	hint := "look whether the API server answers, and wait again with a longer --timeout"
	if w.last != nil {
		switch StateOf(w.last) {
		case StateApproved:
			state = fmt.Sprintf("it is approved, but the signer %s has not signed it", w.last.Spec.SignerName)
			hint = "see whether something serves that signer, and wait again"
		default:
			state = "it is " + string(StateOf(w.last))
			hint = "have it approved with: pkictl csr approve " + w.name
		}
	}
	return failure.Wrap(timeout{state}, failure.Failed, hint, "gave up on certificate signing request %q after %s", w.name, w.Timeout)
}

// timeout is context.DeadlineExceeded with what was last seen.
type timeout struct{ state string }

func (t timeout) Error() string { return t.state }
func (timeout) Unwrap() error   { return context.DeadlineExceeded }
