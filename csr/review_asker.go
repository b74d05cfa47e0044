package csr

import (
	"context"
	"fmt"
	"slices"
	"strings"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/pkictl/pkictl/internal/kubeclient"
)

const (
	// groupBootstrappers is that of the bootstrap tokens by which nodes join.
	groupBootstrappers = "system:bootstrappers"
	// userControllers is a part of the control plane, which could make itself a
	// token of any service account.
	userControllers = "system:kube-controller-manager"
)

// concernOfAsker says why it is a surprise that this user asks for this subject;
// it is empty where it is none. Everybody may ask for themselves, administrators
// for anybody, and a node that is not there yet for its own name (Kubernetes,
// "TLS bootstrapping"). That a name may do nothing yet is no excuse: it may be
// that of somebody who is given rights tomorrow.
func (v *Reviewer) concernOfAsker(ctx context.Context, r *Review) (string, error) {
	strangeGroups := slices.ContainsFunc(r.Groups, func(g string) bool { return !slices.Contains(r.AskedBy.Groups, g) })
	switch {
	case r.LogsIn == loginUnread, r.CommonName == "":
		return "", nil // there is nobody to be
	case r.LogsIn == LogsNoneIn && rulesOf(r.Signer) == nil:
		return "", nil // the common name is no user's
	case !r.ForOther && !strangeGroups:
		return "", nil
	}
	mayApprove, err := v.mayApprove(ctx, r)
	if err != nil || mayApprove {
		return "", err
	}
	switch {
	case r.Signer == SignerKubeletClient && slices.Contains(r.AskedBy.Groups, groupBootstrappers):
		return v.concernOfNewNode(ctx, r)
	case r.ForOther:
		return fmt.Sprintf("%q asks to be somebody else: %q", r.AskedBy.Username, r.CommonName), nil
	}
	return fmt.Sprintf("%q asks for groups that they are not in", r.AskedBy.Username), nil
}

// mayApprove says whether who asked might have approved it, so that nothing is
// gained by asking. Other authorizers than RBAC are heard by a
// SubjectAccessReview; where that may not be asked, it is worked out as for the
// subject.
func (v *Reviewer) mayApprove(ctx context.Context, r *Review) (bool, error) {
	if slices.Contains(r.AskedBy.Groups, groupMasters) || r.AskedBy.Username == userControllers {
		return true, nil
	}
	domain, _, _ := strings.Cut(r.Signer, "/")
	answers := make([]bool, 3)
	var tasks []func(context.Context) error
	for i, attributes := range []authorizationv1.ResourceAttributes{
		{Verb: "update", Resource: "certificatesigningrequests", Subresource: "approval"},
		// Either is enough (kubernetes, pkg/registry/certificates/authorization).
		{Verb: "approve", Resource: "signers", Name: r.Signer},
		{Verb: "approve", Resource: "signers", Name: domain + "/*"},
	} {
		attributes.Group, attributes.Version = certificatesGroup, "*"
		tasks = append(tasks, func(ctx context.Context) (err error) {
			answers[i], err = r.AskedBy.may(ctx, v.client, attributes)
			return err
		})
	}
	err := atOnce(ctx, len(tasks), tasks)
	if !apierrors.IsForbidden(err) {
		return answers[0] && (answers[1] || answers[2]), err
	}
	asker, err := v.accessOf(ctx, r.AskedBy.Username, r.AskedBy.Groups)
	if err != nil || asker.Access == nil {
		return false, err
	}
	allows := func(verb, resource, name string) bool {
		return asker.Access.Allows(Question{Verb: verb, Group: certificatesGroup, Resource: resource, Name: name})
	}
	return allows("update", "certificatesigningrequests/approval", "") &&
		(allows("approve", "signers", r.Signer) || allows("approve", "signers", domain+"/*")), nil
}

// may asks the API server what they may do, as whom it knew them when they asked.
func (q Requester) may(ctx context.Context, client *kubeclient.Client, attributes authorizationv1.ResourceAttributes) (bool, error) {
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		ResourceAttributes: &attributes, User: q.Username, Groups: q.Groups, UID: q.uid, Extra: q.extra,
	}}
	err := client.Create(ctx, kubeclient.SubjectAccessReviews, review, review)
	return review.Status.Allowed, err
}

// concernOfNewNode says what speaks against a node that asks with a bootstrap
// token, which any holder of one can do for any name.
func (v *Reviewer) concernOfNewNode(ctx context.Context, r *Review) (string, error) {
	node := strings.TrimPrefix(r.CommonName, prefixNode)
	_, err := v.node(ctx, node)
	switch {
	case apierrors.IsNotFound(err):
		return "", nil
	case apierrors.IsForbidden(err):
		return fmt.Sprintf("whether %q asks for the name of another node is not known: reading the node %q is not allowed", r.AskedBy.Username, node), nil
	case err != nil:
		return "", err
	}
	return fmt.Sprintf("there is a node %q already: %q, who asks with a bootstrap token, could act as it", node, r.AskedBy.Username), nil
}

// node reads a node. One that cannot have that name is not there.
func (v *Reviewer) node(ctx context.Context, name string) (*corev1.Node, error) {
	if len(validation.IsDNS1123Subdomain(name)) > 0 {
		return nil, apierrors.NewNotFound(corev1.Resource("nodes"), name)
	}
	var node corev1.Node
	return &node, v.client.Get(ctx, kubeclient.Nodes+"/"+name, &node)
}
