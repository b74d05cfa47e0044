package lab

import (
	"context"
	"encoding/json"
	"path"
	"strconv"
	"strings"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/pkictl/pkictl/cluster"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/kubeclient"
)

// freePort in the objects of a lab is a port of 127.0.0.1 that is free when it starts.
const freePort = "$(FREE_PORT)"

// makeObjects makes the objects that the lab begins with. Where there is one already,
// such as the ServiceAccount default, it becomes what the lab has.
func (c *ownCluster) makeObjects(ctx context.Context, admin *kubeclient.Client) error {
	maker := maker{admin: admin, resources: map[string][]metav1.APIResource{}, alone: c.staticPods}
	ports, err := cluster.FreePorts(1)
	if err != nil {
		return err
	}
	for _, d := range c.objects {
		d.json = []byte(strings.ReplaceAll(string(d.json), `"`+freePort+`"`, strconv.Itoa(ports[0])))
		d.json = []byte(strings.ReplaceAll(string(d.json), freePort, strconv.Itoa(ports[0])))
		if err := maker.make(ctx, d); err != nil {
			return failure.Wrap(err, failure.Failed, "", "cannot make %s of %s", d, d.file)
		}
	}
	return nil
}

// maker makes objects of any kind.
type maker struct {
	admin     *kubeclient.Client
	resources map[string][]metav1.APIResource // by API group and version
	alone     bool                            // there is no kube-controller-manager
}

// make makes an object, and waits for what kube-controller-manager makes of it.
func (m *maker) make(ctx context.Context, d document) error {
	list, err := m.path(ctx, d)
	if err != nil {
		return err
	}
	for {
		err = m.admin.CreateJSON(ctx, list, d.json)
		if !isWithoutServiceAccount(err, d) {
			break
		}
		if err := wait(ctx); err != nil {
			return err
		}
	}
	if apierrors.IsAlreadyExists(err) {
		err = m.admin.ApplyJSON(ctx, path.Join(list, d.Name), agent, d.json)
	}
	if err == nil && d.Kind == "Namespace" && !m.alone {
		err = awaitServiceAccount(ctx, m.admin, d.Name)
	}
	return err
}

// isWithoutServiceAccount says whether a pod is refused because its namespace is too
// young (plugin/pkg/admission/serviceaccount/admission.go).
func isWithoutServiceAccount(err error, d document) bool {
	return d.Kind == "Pod" && apierrors.IsForbidden(err) && strings.Contains(err.Error(), "error looking up service account")
}

// path returns that of the list which an object belongs to.
func (m *maker) path(ctx context.Context, d document) (string, error) {
	base := "/apis/" + d.APIVersion
	if !strings.Contains(d.APIVersion, "/") {
		base = "/api/" + d.APIVersion
	}
	resources, ok := m.resources[base]
	if !ok {
		data, err := m.admin.GetJSON(ctx, base)
		if err != nil {
			return "", err
		}
		var list metav1.APIResourceList
		if err := json.Unmarshal(data, &list); err != nil {
			return "", err
		}
		resources = list.APIResources
		m.resources[base] = resources
	}
	for _, r := range resources {
		if r.Kind != d.Kind || strings.Contains(r.Name, "/") {
			continue
		}
		if !r.Namespaced {
			return base + "/" + r.Name, nil
		}
		namespace := d.Namespace
		if namespace == "" {
			namespace = metav1.NamespaceDefault
		}
		return base + "/namespaces/" + namespace + "/" + r.Name, nil
	}
	return "", failure.New(failure.Usage, "", "the API server knows no kind %s in %s", d.Kind, d.APIVersion)
}

// settle waits for what kube-controller-manager makes of an empty cluster: without
// it a learner's first pod is refused, and the role view grants nothing.
func settle(ctx context.Context, admin *kubeclient.Client) error {
	if err := awaitServiceAccount(ctx, admin, metav1.NamespaceDefault); err != nil {
		return err
	}
	for _, name := range []string{"admin", "edit", "view"} {
		for {
			var role rbacv1.ClusterRole
			if err := admin.Get(ctx, kubeclient.ClusterRoles+"/"+name, &role); err != nil {
				return err
			}
			if len(role.Rules) > 0 {
				break
			}
			if err := wait(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// awaitServiceAccount waits for the one that each namespace has.
func awaitServiceAccount(ctx context.Context, admin *kubeclient.Client, namespace string) error {
	for {
		code, err := admin.Status(ctx, namespacePath(namespace)+"/serviceaccounts/default")
		if err != nil || code == 200 {
			return err
		}
		if err := wait(ctx); err != nil {
			return err
		}
	}
}

func namespacePath(namespace string) string {
	return kubeclient.Namespaces + "/" + namespace
}

// fillTime bounds how long all of that may take.
const fillTime = 2 * time.Minute

// wait waits for a moment.
func wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(20 * time.Millisecond):
		return nil
	}
}
