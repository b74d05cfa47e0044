package csr

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	corev1 "k8s.io/api/core/v1"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/kubeclient"
)

// Kinds of RBAC objects.
const (
	kindRole               = "Role"
	kindClusterRole        = "ClusterRole"
	kindRoleBinding        = "RoleBinding"
	kindClusterRoleBinding = "ClusterRoleBinding"
)

// UserBinding is a RoleBinding or ClusterRoleBinding as far as users go. It has no
// namespace where it is a ClusterRoleBinding.
type UserBinding struct {
	Kind      string `json:"kind"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
	RoleKind  string `json:"roleKind"`
	Role      string `json:"role"`
	// Group is the group that is bound, where it is not the user.
	Group string `json:"group,omitempty"`

	object *rbacv1.RoleBinding // as it was read; of both kinds
	// unseen says that the role may not be read by whoever binds it.
	unseen string
}

// String names what is granted, and where.
func (b UserBinding) String() string {
	where := "in the whole cluster"
	if b.Namespace != "" {
		where = "in namespace " + b.Namespace
	}
	kind := "role"
	if b.RoleKind == kindClusterRole {
		kind = "cluster role"
	}
	return kind + " " + b.Role + " " + where
}

// path is that of the object.
func (b UserBinding) path() string { return b.list() + "/" + b.Name }

// list is the path of the list that the object is in.
func (b UserBinding) list() string {
	if b.Namespace == "" {
		return kubeclient.ClusterRoleBindings
	}
	return kubeclient.NamespacedRBAC(b.Namespace, "rolebindings")
}

// find looks up what a grant names, and returns the binding that is to be
// made; nil where there is none. What is missing is refused, with a name that
// is like it.
func (g UserGrant) find(ctx context.Context, c *kubeclient.Client) (*UserBinding, error) {
	if g.Namespace != "" {
		// Where it may not be read, the request that makes the binding says whether it is there.
		if err := findNamespace(ctx, c, g.Namespace); err != nil && !apierrors.IsForbidden(err) {
			return nil, err
		}
	}
	b := UserBinding{Kind: kindRoleBinding, Namespace: g.Namespace, RoleKind: kindClusterRole, Role: g.Role}
	switch {
	case g.ClusterRole != "":
		b.Kind, b.Namespace, b.Role = kindClusterRoleBinding, "", g.ClusterRole
	case g.Role == "":
		return nil, nil
	}
	b.Name = bindingName(g)
	if g.Role != "" {
		roles := kubeclient.NamespacedRBAC(g.Namespace, "roles")
		err := c.Get(ctx, roles+"/"+g.Role, &rbacv1.Role{})
		if err == nil {
			b.RoleKind = kindRole
			return &b, nil
		}
		if apierrors.IsForbidden(err) {
			b.unseen = fmt.Sprintf("whether namespace %q has a role %q of its own may not be read: the cluster role is bound", g.Namespace, g.Role)
		} else if !apierrors.IsNotFound(err) {
			return nil, err
		}
	}
	err := c.Get(ctx, kubeclient.ClusterRoles+"/"+b.Role, &rbacv1.ClusterRole{})
	switch {
	case apierrors.IsNotFound(err):
		return nil, noRole(ctx, c, g, b.Role)
	case apierrors.IsForbidden(err):
		// Who has what a role grants may bind it without the right to read it.
		if b.unseen == "" {
			b.unseen = fmt.Sprintf("the cluster role %q may not be read: the API server decides whether it may be bound", b.Role)
		}
		return &b, nil
	}
	return &b, err
}

// tryOut has the API server say whether it would take a binding whose role was
// not seen, before anything else is made.
func (b *UserBinding) tryOut(ctx context.Context, c *kubeclient.Client, user string) error {
	if b.unseen == "" || b.object != nil {
		return nil
	}
	err := b.send(ctx, c.CreateDryRun, user, "")
	if apierrors.IsAlreadyExists(err) {
		return nil // who makes it looks whether it says the same
	}
	return err
}

// bindingName says what a binding is for. No two roles of one user have the
// same, so that a second run finds what the first has made.
func bindingName(g UserGrant) string {
	if g.ClusterRole != "" {
		return "pkictl:" + g.Name + ":" + g.ClusterRole
	}
	return "pkictl:" + g.Name + ":" + g.Role
}

func findNamespace(ctx context.Context, c *kubeclient.Client, name string) error {
	err := c.Get(ctx, kubeclient.Namespaces+"/"+name, &corev1.Namespace{})
	if !apierrors.IsNotFound(err) {
		return err
	}
	var list corev1.NamespaceList
	var names []string
	if c.List(ctx, kubeclient.Namespaces, metav1.ListOptions{Limit: pageSize}, &list) == nil {
		for _, item := range list.Items {
			names = append(names, item.Name)
		}
	}
	return failure.New(failure.Failed, meant(name, names, "make it first with: kubectl create namespace "+name), "there is no namespace %q", name)
}

// noRole says that a role is missing.
func noRole(ctx context.Context, c *kubeclient.Client, g UserGrant, role string) error {
	var names []string
	var clusterRoles rbacv1.ClusterRoleList
	if c.List(ctx, kubeclient.ClusterRoles, metav1.ListOptions{Limit: pageSize}, &clusterRoles) == nil {
		for _, item := range clusterRoles.Items {
			if !strings.HasPrefix(item.Name, "system:") {
				names = append(names, item.Name)
			}
		}
	}
	if g.Role == "" {
		return failure.New(failure.Failed, meant(role, names, "see: kubectl get clusterroles"), "there is no cluster role %q", role)
	}
	var roles rbacv1.RoleList
	if c.List(ctx, kubeclient.NamespacedRBAC(g.Namespace, "roles"), metav1.ListOptions{Limit: pageSize}, &roles) == nil {
		for _, item := range roles.Items {
			names = append(names, item.Name)
		}
	}
	return failure.New(failure.Failed, meant(role, names, "see: kubectl get clusterroles; kubectl get roles -n "+g.Namespace),
		"there is neither a role %q in namespace %q nor a cluster role of that name", role, g.Namespace)
}

// meant is a hint for a name that is not there.
func meant(name string, known []string, otherwise string) string {
	if similar := failure.Closest(name, known); similar != "" {
		return "did you mean " + similar + "? " + otherwise
	}
	return otherwise
}

// check looks whether a binding of that name is there already. One that says
// something else is an error.
func (b *UserBinding) check(ctx context.Context, c *kubeclient.Client, user string) error {
	object, err := b.read(ctx, c)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	return b.same(object, user)
}

// read reads the object of a binding, of either kind.
func (b *UserBinding) read(ctx context.Context, c *kubeclient.Client) (*rbacv1.RoleBinding, error) {
	if b.Namespace != "" {
		var object rbacv1.RoleBinding
		return &object, c.Get(ctx, b.path(), &object)
	}
	var object rbacv1.ClusterRoleBinding
	err := c.Get(ctx, b.path(), &object)
	return alike(&object), err
}

// alike returns a ClusterRoleBinding as a RoleBinding without a namespace: they
// have the same fields.
func alike(b *rbacv1.ClusterRoleBinding) *rbacv1.RoleBinding {
	return &rbacv1.RoleBinding{ObjectMeta: b.ObjectMeta, RoleRef: b.RoleRef, Subjects: b.Subjects}
}

// same says what an object of the binding's name says otherwise, and keeps it
// if nothing.
func (b *UserBinding) same(object *rbacv1.RoleBinding, user string) error {
	ref := object.RoleRef
	isUser := func(s rbacv1.Subject) bool { return s.Kind == rbacv1.UserKind && s.Name == user }
	if ref.Kind == b.RoleKind && ref.Name == b.Role && len(object.Subjects) == 1 && isUser(object.Subjects[0]) {
		b.object = object
		return nil
	}
	what := fmt.Sprintf("%s %s", ref.Kind, ref.Name)
	for _, s := range object.Subjects {
		what += fmt.Sprintf(", %s %s", s.Kind, s.Name)
	}
	where := ""
	if b.Namespace != "" {
		where = " -n " + b.Namespace
	}
	return failure.New(failure.Failed, fmt.Sprintf("look at it with: kubectl get %s %s%s -o yaml; delete it if it is not wanted", strings.ToLower(b.Kind), b.Name, where),
		"there is a %s %q which says otherwise (%s); it was not changed", b.Kind, b.Name, what)
}

// ensure makes the binding if it is not there, and notes the certificate in
// it. It is idempotent. One that pkictl has not made stays as it is.
func (b *UserBinding) ensure(ctx context.Context, c *kubeclient.Client, user string, credential Credential, now time.Time) (created bool, err error) {
	if b.object == nil {
		created, err = b.create(ctx, c, user, credential, now)
		if !apierrors.IsAlreadyExists(err) {
			return created, err
		}
		// An answer was lost, or another was faster.
		if err = b.check(ctx, c, user); err != nil {
			return false, err
		}
	}
	if b.object == nil {
		return false, failure.New(failure.Failed, "run the same command again", "%s %q was there, and is gone", b.Kind, b.Name)
	}
	return false, b.note(ctx, c, credential, now)
}

func (b *UserBinding) create(ctx context.Context, c *kubeclient.Client, user string, credential Credential, now time.Time) (bool, error) {
	text, err := writeCredentials(nil, credential, now)
	if err == nil {
		err = b.send(ctx, c.Create, user, text)
	}
	return err == nil, err
}

// send has the object made by one of the client's ways.
func (b *UserBinding) send(ctx context.Context, create func(ctx context.Context, path string, object, into runtime.Object) error, user, credentials string) error {
	meta := metav1.ObjectMeta{
		Name: b.Name, Namespace: b.Namespace,
		Labels: map[string]string{LabelManagedBy: ManagedBy}, Annotations: map[string]string{credentialsAnnotation: credentials},
	}
	ref := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: b.RoleKind, Name: b.Role}
	subjects := []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}}
	if b.Namespace == "" {
		object := &rbacv1.ClusterRoleBinding{ObjectMeta: meta, RoleRef: ref, Subjects: subjects}
		return create(ctx, b.list(), object, nil)
	}
	object := &rbacv1.RoleBinding{ObjectMeta: meta, RoleRef: ref, Subjects: subjects}
	return create(ctx, b.list(), object, nil)
}

// note adds a certificate to those that the binding knows.
func (b *UserBinding) note(ctx context.Context, c *kubeclient.Client, credential Credential, now time.Time) error {
	for range conflictTries {
		known := readCredentials(b.object.Annotations)
		isNoted := slices.ContainsFunc(known, func(k Credential) bool { return k.ID == credential.ID })
		if isNoted || b.object.Labels[LabelManagedBy] != ManagedBy {
			return nil
		}
		text, err := writeCredentials(known, credential, now)
		if err != nil {
			return err
		}
		b.object.Annotations = with(b.object.Annotations, credentialsAnnotation, text)
		err = b.replace(ctx, c, b.object)
		if !apierrors.IsConflict(err) {
			return err
		}
		if b.object, err = b.read(ctx, c); err != nil {
			return err
		}
	}
	return failure.New(failure.Failed, "run the same command again", "%s %q is being changed all the time", b.Kind, b.Name)
}

// conflictTries is how often a change is tried again that another's has come
// before.
const conflictTries = 5

// replace writes a binding back. Its resource version keeps it from undoing
// what another has changed.
func (b *UserBinding) replace(ctx context.Context, c *kubeclient.Client, object *rbacv1.RoleBinding) error {
	if b.Namespace != "" {
		return c.Update(ctx, b.path(), object, nil)
	}
	return c.Update(ctx, b.path(), &rbacv1.ClusterRoleBinding{ObjectMeta: object.ObjectMeta, RoleRef: object.RoleRef, Subjects: object.Subjects}, nil)
}

func with(m map[string]string, key, value string) map[string]string {
	if m == nil {
		m = map[string]string{}
	}
	m[key] = value
	return m
}

// isDefault says whether the binding is one that the API server makes when it
// is missing (kubernetes plugin/pkg/auth/authorizer/rbac/bootstrappolicy). To
// delete it would bring its subjects back. Anybody may set the label, so it
// keeps no user in the binding.
func (b *UserBinding) isDefault() bool {
	return b.object.Labels["kubernetes.io/bootstrapping"] == "rbac-defaults"
}

// remove takes the user out of the binding, which goes where nobody else is in
// it. Its name says nothing of whose it is: a user may have made it so. What
// another has changed meanwhile is read again.
func (b *UserBinding) remove(ctx context.Context, c *kubeclient.Client, user string) error {
	for range conflictTries {
		left := b.others(user)
		var err error
		if len(left) == 0 && !b.isDefault() {
			err = c.DeleteVersion(ctx, b.path(), b.object.UID, b.object.ResourceVersion)
		} else {
			b.object.Subjects = left
			err = b.replace(ctx, c, b.object)
		}
		if apierrors.IsNotFound(err) {
			return nil
		}
		if !apierrors.IsConflict(err) {
			return err
		}
		b.object, err = b.read(ctx, c)
		if apierrors.IsNotFound(err) {
			return nil
		}
		if err != nil {
			return err
		}
		if len(b.others(user)) == len(b.object.Subjects) {
			return nil // another took the user out, or made a new one
		}
	}
	return failure.New(failure.Failed, "run the same command again", "%s %q is being changed all the time", b.Kind, b.Name)
}

// others are the subjects of the binding without the user.
func (b *UserBinding) others(user string) []rbacv1.Subject {
	return slices.DeleteFunc(slices.Clone(b.object.Subjects), func(s rbacv1.Subject) bool {
		return s.Kind == rbacv1.UserKind && s.Name == user
	})
}

// userBindings reads the bindings of a namespace, or where that is empty all
// of the cluster. Who may not read all gets those of the namespace of the
// client's context, and a warning.
func userBindings(ctx context.Context, c *kubeclient.Client, namespace string) (bound []UserBinding, warning string, err error) {
	list, err := listBindings(ctx, c, namespace)
	if namespace == "" && apierrors.IsForbidden(err) {
		namespace = cmp.Or(c.Namespace, metav1.NamespaceDefault)
		warning = "only the bindings in namespace " + namespace + " are looked at; choose another with --namespace: " + err.Error()
		all := err
		if list, err = listBindings(ctx, c, namespace); apierrors.IsForbidden(err) {
			err = all
		}
	}
	if err != nil {
		return nil, "", err
	}
	for i := range list {
		bound = append(bound, bindingOf(&list[i]))
	}
	return bound, warning, nil
}

func bindingOf(object *rbacv1.RoleBinding) UserBinding {
	kind := kindRoleBinding
	if object.Namespace == "" {
		kind = kindClusterRoleBinding
	}
	return UserBinding{
		Kind: kind, Namespace: object.Namespace, Name: object.Name,
		RoleKind: object.RoleRef.Kind, Role: object.RoleRef.Name, object: object,
	}
}
