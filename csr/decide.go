package csr

import (
	"context"
	"errors"
	"fmt"
	"strings"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/kubeclient"
)

// Outcome is what became of the wish to approve or deny a request.
type Outcome string

// The outcomes. Those but the first five come with an error.
const (
	Approved     Outcome = "approved"
	Denied       Outcome = "denied"
	WouldApprove Outcome = "would-approve" // dry run
	WouldDeny    Outcome = "would-deny"    // dry run
	Already      Outcome = "already"       // it was so before; nothing was changed
	Meanwhile    Outcome = "decided-meanwhile"
	Gone         Outcome = "gone"    // deleted, or another took its name
	NotAllowed   Outcome = "refused" // by the API server, or by a rule of pkictl
	NotDone      Outcome = "failed"
)

// Decision is a wish to approve or deny.
type Decision struct {
	Approve bool   // or else deny
	Message string // why; the object keeps it
	DryRun  bool   // the API server checks it and keeps nothing
}

func (d Decision) verb() string {
	if d.Approve {
		return "approve"
	}
	return "deny"
}

func (d Decision) outcome() Outcome {
	switch {
	case d.Approve && d.DryRun:
		return WouldApprove
	case d.Approve:
		return Approved
	case d.DryRun:
		return WouldDeny
	}
	return Denied
}

func (d Decision) condition() certificatesv1.RequestConditionType {
	if d.Approve {
		return certificatesv1.CertificateApproved
	}
	return certificatesv1.CertificateDenied
}

// Settled says what becomes of the wish where the object leaves nothing to
// decide: it was decided before, or its signer has failed it. The outcome is
// empty while there is something.
func (d Decision) Settled(object *Object) (Outcome, error) {
	isSo, err := isDecided(object, d.condition())
	switch {
	case err != nil:
		return NotAllowed, err
	case isSo && StateOf(object) != StateFailed:
		return Already, nil
	case StateOf(object) == StateFailed:
		return NotDone, ended(object)
	}
	return "", nil
}

// Decide approves or denies the very object that was reviewed. One that was
// deleted since and made anew under the same name is not touched. Somebody else
// may have decided in between: that is the outcome Meanwhile, with an error
// where they decided the other way.
func Decide(ctx context.Context, client *kubeclient.Client, reviewed *Object, d Decision) (*Object, Outcome, error) {
	if outcome, err := d.Settled(reviewed); outcome != "" {
		return reviewed, outcome, err
	}
	condition, decide := d.condition(), Deny
	if d.Approve {
		decide = Approve
	}
	if d.DryRun {
		decide = dryRun(condition)
	}
	decided, err := decide(ctx, client, reviewed, d.Message)
	if err != nil {
		outcome, err := d.undone(err, reviewed)
		return reviewed, outcome, err
	}
	if c := conditionOf(decided, condition); c == nil || c.Message != d.Message || !strings.HasPrefix(c.Reason, "Pkictl") {
		return decided, Meanwhile, nil
	}
	return decided, d.outcome(), nil
}

// dryRun returns a function like Approve that has the API server check alone.
func dryRun(kind certificatesv1.RequestConditionType) func(context.Context, *kubeclient.Client, *Object, string) (*Object, error) {
	return func(ctx context.Context, client *kubeclient.Client, object *Object, message string) (*Object, error) {
		at, err := objectPath(object.Name)
		if err != nil {
			return nil, err
		}
		changed, answer := object.DeepCopy(), &Object{}
		changed.Status.Conditions = append(changed.Status.Conditions, certificatesv1.CertificateSigningRequestCondition{
			Type: kind, Status: corev1.ConditionTrue, Reason: "PkictlDryRun", Message: message,
		})
		err = client.UpdateDryRun(ctx, at+"/approval", changed, answer)
		if apierrors.IsNotFound(err) {
			err = gone(object.Name, StateDeleted)
		}
		return answer, err
	}
}

// undone says what the error of a decision means.
func (d Decision) undone(err error, object *Object) (Outcome, error) {
	var end *EndedError
	switch {
	case errors.As(err, &end) && (end.State == StateDeleted || end.State == StateReplaced || end.State == StateMissing):
		return Gone, err
	case apierrors.IsForbidden(err):
		return NotAllowed, d.notAllowed(err, object)
	case errors.As(err, &end), failure.KindOf(err) == failure.Refused:
		return Meanwhile, err
	}
	return NotDone, err
}

// notAllowed says which right is missing. Approval takes two (Kubernetes,
// "Certificates and Certificate Signing Requests", Authorization).
func (d Decision) notAllowed(err error, object *Object) error {
	right := "the verb update on certificatesigningrequests/approval (certificates.k8s.io)"
	if strings.Contains(err.Error(), "signerName") {
		right = fmt.Sprintf("the verb approve on signers (certificates.k8s.io) with the name %s", object.Spec.SignerName)
	}
	return failure.Wrap(said{err}, failure.Refused, "it takes "+right+": use a kubeconfig or --context that may, or have an administrator grant it",
		"you may not %s certificate signing request %q", d.verb(), object.Name)
}

// said is an error in the words of the API server alone.
type said struct{ err error }

func (s said) Error() string { return reason(s.err) }
func (s said) Unwrap() error { return s.err }
