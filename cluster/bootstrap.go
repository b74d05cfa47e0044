package cluster

import (
	"context"
	"slices"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/kubeclient"
)

const (
	// kubeletClientBinding lets the API server call kubelets
	// (app/phases/bootstraptoken/node/tlsbootstrap.go: AllowAPIServerToAccessKubeletAPI).
	kubeletClientBinding = "kubeadm:apiserver-kubelet-client"
)

const (
	bootstrapTimeout  = 30 * time.Second
	bootstrapInterval = 50 * time.Millisecond
)

// bootstrapBindings are the bindings without which the credentials of a fresh
// PKI may do nothing. kubeadm creates the first (app/phases/kubeconfig/kubeconfig.go:
// EnsureAdminClusterRoleBindingImpl), and the second it updates, too.
func bootstrapBindings() []rbacv1.ClusterRoleBinding {
	return []rbacv1.ClusterRoleBinding{
		clusterBinding(GroupClusterAdmins, "cluster-admin", rbacv1.GroupKind, GroupClusterAdmins),
		clusterBinding(kubeletClientBinding, "system:kubelet-api-admin", rbacv1.UserKind, "kube-apiserver-kubelet-client"),
	}
}

func clusterBinding(name, role, kind, subject string) rbacv1.ClusterRoleBinding {
	return rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: kind, Name: subject}},
	}
}

// bootstrapper makes the bindings.
type bootstrapper struct {
	admin *kubeclient.Client
	// super returns a client that may do anything. It is asked only where admin
	// may not, and once.
	super func(context.Context) (*kubeclient.Client, error)
}

// ensure makes the bindings that are not there. Where they are it changes
// nothing.
func (b *bootstrapper) ensure(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, bootstrapTimeout)
	defer cancel()
	client := b.admin
	for _, wanted := range bootstrapBindings() {
		err := ensureBinding(ctx, client, wanted)
		if apierrors.IsForbidden(err) && client == b.admin {
			// The usual case: admin.conf may do nothing before the first is there.
			if client, err = b.super(ctx); err == nil {
				err = ensureBinding(ctx, client, wanted)
			}
		}
		if err != nil {
			return failure.Wrap(err, failure.KindOf(err), failure.HintOf(err), "cannot make the ClusterRoleBinding %q", wanted.Name)
		}
	}
	return nil
}

// ensureBinding makes one, or gives one that says otherwise its subjects back.
// That of the administrators stays as it is, as with kubeadm.
func ensureBinding(ctx context.Context, c *kubeclient.Client, wanted rbacv1.ClusterRoleBinding) error {
	err := patiently(ctx, func() error {
		return c.Create(ctx, kubeclient.ClusterRoleBindings, &wanted, &rbacv1.ClusterRoleBinding{})
	})
	if !apierrors.IsAlreadyExists(err) || wanted.Name == GroupClusterAdmins {
		if apierrors.IsAlreadyExists(err) {
			return nil
		}
		return err
	}
	path := kubeclient.ClusterRoleBindings + "/" + wanted.Name
	var found rbacv1.ClusterRoleBinding
	if err := c.Get(ctx, path, &found); err != nil {
		return err
	}
	if found.RoleRef == wanted.RoleRef && slices.Equal(found.Subjects, wanted.Subjects) {
		return nil
	}
	found.RoleRef, found.Subjects = wanted.RoleRef, wanted.Subjects
	return c.Update(ctx, path, &found, &found)
}

// patiently repeats a request to which an API server that has just begun gave no
// answer of its own.
func patiently(ctx context.Context, request func() error) error {
	for {
		err := request()
		final := err == nil || apierrors.IsForbidden(err) || apierrors.IsAlreadyExists(err) || apierrors.IsUnauthorized(err) ||
			apierrors.IsInvalid(err) || apierrors.IsNotFound(err)
		if final {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(bootstrapInterval):
		}
	}
}

// await returns when the API server has taken notice of the binding: until then
// the first command of the administrator would be refused.
func (b *bootstrapper) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, bootstrapTimeout)
	defer cancel()
	for {
		review := authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
			ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: "*", Group: "*", Resource: "*"},
		}}
		err := b.admin.Create(ctx, kubeclient.SelfSubjectAccessReviews, &review, &review)
		if err == nil && review.Status.Allowed {
			return nil
		}
		select {
		case <-ctx.Done():
			if err == nil {
				err = failure.New(failure.Failed, "look at it with: kubectl get clusterrolebinding "+GroupClusterAdmins+" -o yaml",
					"ClusterRoleBinding %q is there, but members of that group may not do everything", GroupClusterAdmins)
			}
			return err
		case <-time.After(bootstrapInterval):
		}
	}
}
