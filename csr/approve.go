package csr

import (
	"context"
	"fmt"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/kubeclient"
)

// Approve approves the object that was looked at, and no other that has taken
// its name. One that is approved already is returned as it is; one that was
// denied is an error of kind Refused. It takes the right to update
// certificatesigningrequests/approval, and to approve for the signer.
func Approve(ctx context.Context, c *kubeclient.Client, object *Object, message string) (*Object, error) {
	return decide(ctx, c, object, certificatesv1.CertificateSigningRequestCondition{
		Type: certificatesv1.CertificateApproved, Status: corev1.ConditionTrue, Reason: "PkictlApprove", Message: message,
	})
}

// Deny denies the object, as Approve approves it.
func Deny(ctx context.Context, c *kubeclient.Client, object *Object, message string) (*Object, error) {
	return decide(ctx, c, object, certificatesv1.CertificateSigningRequestCondition{
		Type: certificatesv1.CertificateDenied, Status: corev1.ConditionTrue, Reason: "PkictlDeny", Message: message,
	})
}

// decide adds a condition, which is final. Others may change the object at the
// same time, and answers may be lost, so it looks again until it is there.
func decide(ctx context.Context, c *kubeclient.Client, object *Object, condition certificatesv1.CertificateSigningRequestCondition) (*Object, error) {
	at, err := objectPath(object.Name)
	if err != nil {
		return nil, err
	}
	var refused error
	for attempt := range attempts {
		if decided, err := isDecided(object, condition.Type); decided || err != nil {
			return object, err
		}
		changed := object.DeepCopy()
		changed.Status.Conditions = append(changed.Status.Conditions, condition)
		updated := &Object{}
		refused = c.Update(ctx, at+"/approval", changed, updated)
		switch {
		case refused == nil:
			return updated, nil
		case apierrors.IsNotFound(refused):
			return nil, gone(object.Name, StateDeleted)
		case !apierrors.IsConflict(refused) && !isLost(refused):
			return nil, decideError(refused, object, condition)
		}
		if err := pause(ctx, attempt); err != nil {
			return nil, err
		}
		if object, err = get(ctx, c, object.Name, object); err != nil {
			return nil, err
		}
	}
	return nil, decideError(refused, object, condition)
}

// isDecided says whether the condition is there already. The other way round is
// an error: the API server takes no decision back.
func isDecided(object *Object, want certificatesv1.RequestConditionType) (bool, error) {
	if conditionOf(object, want) != nil {
		return true, nil
	}
	if denied := conditionOf(object, certificatesv1.CertificateDenied); denied != nil {
		return false, ended(object)
	}
	if conditionOf(object, certificatesv1.CertificateApproved) != nil {
		hint := "no decision can be taken back; delete it before it is signed with: kubectl delete csr " + object.Name
		if len(object.Status.Certificate) > 0 {
			hint = "no decision can be taken back; take away what its user is bound to instead"
		}
		return false, failure.New(failure.Refused, hint, "certificate signing request %q was approved already", object.Name)
	}
	return false, nil
}

func decideError(err error, object *Object, condition certificatesv1.CertificateSigningRequestCondition) error {
	verb := "approve"
	if condition.Type == certificatesv1.CertificateDenied {
		verb = "deny"
	}
	return fmt.Errorf("cannot %s certificate signing request %q: %w", verb, object.Name, err)
}
