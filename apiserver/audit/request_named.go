package audit

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/pkictl/pkictl/internal/failure"
)

// Named is a request for a resource in the words of kubectl.
type Named struct {
	Verb     string
	Resource string // as FindResources takes it
	// Group is that of the resource where its name does not say it, "core" for the
	// core group, and "" for the first group that has it.
	Group       string
	Subresource string
	Namespace   string // "" for all namespaces, and for what is in none
	Name        string
}

// Request returns what the API server makes of the words, and warnings about what
// cannot be so, or is not known.
func (n Named) Request() (Request, []string, error) {
	verb := strings.ToLower(n.Verb)
	if err := checkVerb(verb); err != nil {
		return Request{}, nil, err
	}
	r, known, warnings, err := n.find()
	if err != nil {
		return Request{}, nil, err
	}
	r.Verb, r.Name, r.Namespace = verb, n.Name, n.Namespace
	what := r.What()
	if known != nil && !slices.Contains(known.Verbs, verb) {
		warnings = append(warnings, fmt.Sprintf("there is no %s of %s: its verbs are %s", verb, what, strings.Join(known.Verbs, ", ")))
	}
	switch {
	case r.isNamespace() && !slices.Contains([]string{"list", "watch"}, verb):
		r.Namespace = r.Name // k8s.io/apiserver/pkg/endpoints/request, NewRequestInfo
	case known != nil && !known.Namespaced:
		r.Namespace = ""
	}
	if r.Name != "" && (verb == "deletecollection" || verb == "create" && r.Subresource == "") {
		r.Name = ""
		if r.Resource == "namespaces" {
			r.Namespace = ""
		}
		warnings = append(warnings, fmt.Sprintf("a request to %s %s has no name in its URL, so the policy sees none", verb, what))
	}
	_, r.Path = r.URL()
	r.Path, _, _ = strings.Cut(r.Path, "?")
	return r, warnings, nil
}

// Namespaced says whether the resource is in namespaces, and whether that is known.
func (n Named) Namespaced() (namespaced, known bool) {
	_, resource, _, err := n.find()
	if err != nil || resource == nil {
		return false, false
	}
	return resource.Namespaced, true
}

// find looks the resource up; it is nil where it is none of Kubernetes' own.
func (n Named) find() (Request, *Resource, []string, error) {
	name, sub, _ := strings.Cut(n.Resource, "/")
	switch {
	case name == "" || strings.Contains(sub, "/"):
		return Request{}, nil, nil, failure.New(failure.Usage, "write it like pods, deployments.apps or pods/exec; the name of an object goes into --name", "%q is no resource", n.Resource)
	case n.Subresource != "" && sub != "" && n.Subresource != sub:
		return Request{}, nil, nil, failure.New(failure.Usage, "leave one of them out", "the subresource is given twice: %q and %q", sub, n.Subresource)
	}
	sub = cmp.Or(sub, n.Subresource)
	bases := FindResources(name)
	if n.Group != "" {
		group := n.Group
		if group == "core" {
			group = ""
		}
		bases = slices.DeleteFunc(bases, func(r Resource) bool { return r.Group != group })
	}
	if len(bases) == 0 {
		r, warning := n.unknown(name, sub)
		return r, nil, []string{warning}, nil
	}
	var warnings []string
	base := bases[0]
	if len(bases) > 1 {
		warnings = append(warnings, fmt.Sprintf("%s is in %s: this is about that of %s, as kubectl takes it", base.Name, groupsOf(bases), groupName(base.Group)))
	}
	r := Request{IsResource: true, Group: base.Group, Version: base.Version, Resource: base.Name, Subresource: sub}
	if sub == "" {
		return r, &base, warnings, nil
	}
	if found, ok := findResource(base.Group, base.Name+"/"+sub); ok {
		r.Version = found.Version
		return r, &found, warnings, nil
	}
	has := "it has none"
	if subs := subresources(base.Group, base.Name); subs != nil {
		has = "it has " + strings.Join(subs, ", ")
	}
	return r, nil, append(warnings, fmt.Sprintf("%s has no subresource %q: %s", base.Name, sub, has)), nil
}

// unknown is for what Kubernetes itself does not serve.
func (n Named) unknown(name, sub string) (Request, string) {
	name, group, hasGroup := strings.Cut(strings.ToLower(name), ".")
	if n.Group != "" {
		group, hasGroup = n.Group, true
	}
	if group == "core" {
		group = ""
	}
	r := Request{IsResource: true, Group: group, Version: "v1", Resource: name, Subresource: sub}
	others := FindResources(name)
	switch {
	case len(others) > 0:
		return r, fmt.Sprintf("%s is in %s, and not in %s", others[0].Name, groupsOf(others), groupName(group))
	case hasGroup && !knownGroup(group):
		return r, fmt.Sprintf("%s.%s is none of Kubernetes' own resources: whether there is one, and with these verbs, is not checked", name, group)
	case hasGroup:
		return r, fmt.Sprintf("%s has no resource %q", groupName(group), name)
	}
	return r, fmt.Sprintf("%q is no resource of Kubernetes: of a custom resource give the group too, as in %s.example.com", name, name)
}

// checkVerb refuses what is no verb of a request, but a word of kubectl's or HTTP's.
func checkVerb(verb string) error {
	if slices.Contains(Verbs(), verb) {
		return nil
	}
	hint := "they are " + strings.Join(Verbs(), ", ")
	switch verb {
	case "post":
		hint = "POST is the verb create"
	case "put", "replace":
		hint = "it is the verb update"
	case "apply", "edit", "label", "annotate", "set":
		hint = "kubectl " + verb + " sends the verb patch (apply creates what is not there)"
	case "describe":
		hint = "kubectl describe sends the verb get"
	case "exec", "attach":
		hint = "kubectl " + verb + " is --verb get --resource pods/" + verb
	case "port-forward", "portforward":
		hint = "kubectl port-forward is --verb get --resource pods/portforward"
	case "logs", "log":
		hint = "kubectl logs is --verb get --resource pods/log"
	case "scale":
		hint = "kubectl scale is --verb patch --resource deployments/scale"
	case "approve", "deny":
		hint = "kubectl certificate " + verb + " is --verb update --resource certificatesigningrequests/approval"
	}
	return failure.New(failure.Usage, hint, "%q is no verb of a request", verb)
}

// groupName shows an API group.
func groupName(group string) string {
	if group == "" {
		return "the core group"
	}
	return "group " + group
}

// groupsOf lists the groups of resources.
func groupsOf(list []Resource) string {
	names := make([]string, len(list))
	for i, r := range list {
		names[i] = groupName(r.Group)
	}
	return strings.Join(names, " and ")
}

// resourceOf is a request for a resource of this name, which has its subresource
// behind a slash.
func resourceOf(group, name string) Request {
	resource, sub, _ := strings.Cut(name, "/")
	return Request{IsResource: true, Group: group, Resource: resource, Subresource: sub}
}

// full is the resource with its subresource, as policies write it: pods/exec.
func (r *Request) full() string {
	if r.Subresource == "" {
		return r.Resource
	}
	return r.Resource + "/" + r.Subresource
}

// What names the resource as kubectl does: pods/exec, deployments.apps/scale.
func (r *Request) What() string {
	what := r.Resource
	if r.Group != "" {
		what += "." + r.Group
	}
	if r.Subresource != "" {
		what += "/" + r.Subresource
	}
	return what
}

// URL returns the HTTP method and the path, with the query that matters, of a
// request.
func (r *Request) URL() (method, path string) {
	if !r.IsResource {
		return strings.ToUpper(r.Verb), r.Path
	}
	parts := []string{"", "api", r.Version}
	if r.Group != "" {
		parts = []string{"", "apis", r.Group, r.Version}
	}
	if r.Namespace != "" && !r.isNamespace() {
		parts = append(parts, "namespaces", url.PathEscape(r.Namespace))
	}
	parts = append(parts, r.Resource)
	ofMany := r.Verb == "list" || r.Verb == "watch"
	if r.Name != "" && !ofMany {
		parts = append(parts, url.PathEscape(r.Name))
	}
	if r.Subresource != "" {
		parts = append(parts, r.Subresource)
	}
	query := url.Values{}
	if r.Verb == "watch" {
		query.Set("watch", "true")
	}
	if r.Name != "" && ofMany {
		query.Set("fieldSelector", "metadata.name="+r.Name)
	}
	path = strings.Join(parts, "/")
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return methodOf(r.Verb), path
}

func methodOf(verb string) string {
	switch verb {
	case "create":
		return "POST"
	case "update":
		return "PUT"
	case "patch":
		return "PATCH"
	case "delete", "deletecollection":
		return "DELETE"
	}
	return "GET"
}
