package lab

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/pkictl/pkictl/internal/kubeclient"
	"github.com/pkictl/pkictl/internal/yamlfile"
)

// nothingElse says where somebody must have no rights beside those that are allowed.
// Questions can only ask for what their author has thought of; the rules that an API
// server lists (SelfSubjectRulesReview) are all that RBAC grants.
type nothingElse struct {
	everywhere  bool
	in, outside []string // namespaces
}

func (e *nothingElse) key(p *params) yamlfile.Key {
	return yamlfile.Key{Name: "nothingElse", Read: func(n *yaml.Node) error {
		if n.Kind != yaml.MappingNode {
			text, err := p.Text(n, "nothingElse")
			if err == nil && text != "everywhere" {
				err = p.ErrorAt(n, "write everywhere, {in: NAMESPACE} or {outside: NAMESPACE}", "%q is no place", text)
			}
			e.everywhere = true
			return err
		}
		texts := func(what string, to *[]string) yamlfile.Key {
			return yamlfile.Key{Name: what, Read: func(n *yaml.Node) (err error) { *to, err = p.textOrTexts(n, what); return err }}
		}
		err := p.Mapping(n, "nothingElse", texts("in", &e.in), texts("outside", &e.outside))
		if err == nil && (len(e.in) == 0) == (len(e.outside) == 0) {
			err = p.ErrorAt(n, "write {in: NAMESPACE} or {outside: NAMESPACE}", "nothingElse needs one of them")
		}
		return err
	}}
}

func (e *nothingElse) asked() bool { return e.everywhere || len(e.in)+len(e.outside) > 0 }

func (e *nothingElse) means(namespace string) bool {
	return e.everywhere || slices.Contains(e.in, namespace) || len(e.outside) > 0 && !slices.Contains(e.outside, namespace)
}

// judge says in found which right there is beside those that are allowed.
func (e *nothingElse) judge(ctx context.Context, admin *kubeclient.Client, user authenticationv1.UserInfo, allowed []question) (namespace, found string, err error) {
	if !e.asked() {
		return "", "", nil
	}
	as, err := admin.As(user.Username, user.Groups...)
	if err != nil {
		return "", "", err
	}
	var namespaces corev1.NamespaceList
	if err := admin.List(ctx, "/api/v1/namespaces", metav1.ListOptions{}, &namespaces); err != nil {
		return "", "", err
	}
	served := servedResources{}
	for _, one := range namespaces.Items {
		if !e.means(one.Name) {
			continue
		}
		review := &authorizationv1.SelfSubjectRulesReview{Spec: authorizationv1.SelfSubjectRulesReviewSpec{Namespace: one.Name}}
		if err := as.Create(ctx, "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", review, review); err != nil {
			return "", "", err
		}
		for _, rule := range review.Status.ResourceRules {
			if found, err := beyond(ctx, admin, rule, one.Name, allowed, served); found != "" || err != nil {
				return one.Name, found, err
			}
		}
	}
	return "", "", nil
}

// beyond returns a right of a rule that is not among those allowed.
func beyond(ctx context.Context, admin *kubeclient.Client, rule authorizationv1.ResourceRule, namespace string, allowed []question, served servedResources) (string, error) {
	for _, group := range rule.APIGroups {
		for _, resource := range rule.Resources {
			for _, verb := range rule.Verbs {
				if isEverybodys(group, resource) || isCovered(verb, group, resource, namespace, rule.ResourceNames, allowed) {
					continue
				}
				// Such verbs are of resources that no API serves, too: users, signers.
				if slices.Contains([]string{"impersonate", "approve", "sign", "attest", "bind", "escalate"}, verb) {
					return rightInWords(verb, group, resource, rule.ResourceNames), nil
				}
				is, err := served.has(ctx, admin, group, resource)
				if err != nil {
					return "", err
				}
				if is {
					return rightInWords(verb, group, resource, rule.ResourceNames), nil
				}
			}
		}
	}
	return "", nil
}

func rightInWords(verb, group, resource string, names []string) string {
	if group != "" {
		plural, subresource, isSub := strings.Cut(resource, "/")
		if resource = plural + "." + group; isSub {
			resource += "/" + subresource
		}
	}
	text := verb + " " + resource
	if len(names) > 0 {
		text += " " + theFirst(names)
	}
	return text
}

// isEverybodys says whether every user or service account may use a resource, by the
// roles system:basic-user and system:cluster-trust-bundle-discovery.
func isEverybodys(group, resource string) bool {
	switch group {
	case "authorization.k8s.io":
		return resource == "selfsubjectaccessreviews" || resource == "selfsubjectrulesreviews"
	case "authentication.k8s.io":
		return resource == "selfsubjectreviews"
	case "certificates.k8s.io":
		return resource == "clustertrustbundles"
	}
	return false
}

// isCovered says whether a right is one of those allowed, or gives nothing more.
func isCovered(verb, group, resource, namespace string, names []string, allowed []question) bool {
	if len(names) > 0 && (verb == "create" || verb == "deletecollection") {
		return true // the request has no name, so that such a rule never holds
	}
	may := func(verb, name string) bool {
		return slices.ContainsFunc(allowed, func(q question) bool {
			r := q.resource
			if r == nil || r.Namespace != "" && r.Namespace != namespace || r.Name != "" && r.Name != name {
				return false
			}
			full := r.Resource
			if r.Subresource != "" {
				full += "/" + r.Subresource
			}
			return full == resource && (r.Group == group || group == "*") && (r.Verb == verb || r.Verb == "*")
		})
	}
	mayAll := func(verb string) bool {
		if len(names) == 0 {
			return may(verb, "")
		}
		return !slices.ContainsFunc(names, func(name string) bool { return !may(verb, name) })
	}
	// To list what one may get by its name shows nothing new, and no subresource is
	// listed at all.
	seen := (verb == "list" || verb == "watch") && (len(names) > 0 || strings.Contains(resource, "/"))
	return mayAll(verb) || seen && mayAll("get")
}

// servedResources are those of the API groups that have been asked for.
type servedResources map[string][]string

// has says whether there is a resource: of a group and a resource that only stand in
// the same rule as others a rule grants nothing. What has a * in it is there.
func (s servedResources) has(ctx context.Context, admin *kubeclient.Client, group, resource string) (bool, error) {
	if group == "*" || strings.Contains(resource, "*") {
		return true, nil
	}
	names, ok := s[group]
	if !ok {
		var err error
		if names, err = resourcesOf(ctx, admin, group); err != nil {
			return false, err
		}
		s[group] = names
	}
	return slices.Contains(names, resource), nil
}

// resourcesOf returns the resources of an API group, in whatever version.
func resourcesOf(ctx context.Context, admin *kubeclient.Client, group string) ([]string, error) {
	paths := []string{"/api/v1"}
	if group != "" {
		var groups metav1.APIGroupList
		if err := getInto(ctx, admin, "/apis", &groups); err != nil {
			return nil, err
		}
		paths = nil
		for _, g := range groups.Groups {
			for _, version := range g.Versions {
				if g.Name == group {
					paths = append(paths, "/apis/"+version.GroupVersion)
				}
			}
		}
	}
	var names []string
	for _, path := range paths {
		var list metav1.APIResourceList
		if err := getInto(ctx, admin, path, &list); err != nil {
			return nil, err
		}
		for _, r := range list.APIResources {
			names = append(names, r.Name)
		}
	}
	return names, nil
}

func getInto(ctx context.Context, admin *kubeclient.Client, path string, into any) error {
	data, err := admin.GetJSON(ctx, path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}
