package lab

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"

	"github.com/pkictl/pkictl/internal/kubeclient"
	"github.com/pkictl/pkictl/internal/yamlfile"
)

// Groups that the API server puts users into.
const (
	groupAuthenticated   = "system:authenticated"
	groupServiceAccounts = "system:serviceaccounts"
	prefixServiceAccount = "system:serviceaccount:"
)

// asker is whom a check asks for.
type asker struct {
	user, groups   string // groups are joined with spaces, so that askers compare
	serviceAccount string // NAMESPACE/NAME
	kubeconfig     string // file below the workspace
}

func (a *asker) read(p *params, n *yaml.Node) error {
	err := p.Mapping(n, "as",
		yamlfile.Key{Name: "user", Read: p.line("user", &a.user)},
		yamlfile.Key{Name: "groups", Read: func(n *yaml.Node) error {
			groups, err := p.textOrTexts(n, "groups")
			a.groups = strings.Join(groups, " ")
			return err
		}},
		yamlfile.Key{Name: "serviceAccount", Read: func(n *yaml.Node) error {
			text, err := p.Text(n, "serviceAccount")
			if namespace, name, ok := strings.Cut(text, "/"); err == nil && (!ok || namespace == "" || name == "" || strings.Contains(name, "/")) {
				err = p.ErrorAt(n, "write NAMESPACE/NAME", "%q names no service account", text)
			}
			a.serviceAccount = text
			return err
		}},
		p.file("kubeconfig", &a.kubeconfig),
	)
	given := 0
	for _, text := range []string{a.user, a.serviceAccount, a.kubeconfig} {
		if text != "" {
			given++
		}
	}
	if err == nil && (given != 1 || a.groups != "" && a.user == "") {
		err = p.ErrorAt(n, "write user with groups, or serviceAccount, or kubeconfig", "as does not name one who is asked for")
	}
	return err
}

// String names them in a finding.
func (a *asker) String() string {
	switch {
	case a.kubeconfig != "":
		return "the user of " + a.kubeconfig
	case a.serviceAccount != "":
		return "service account " + a.serviceAccount
	}
	return a.user
}

// identity says as whom the API server knows them.
func (a *asker) identity(ctx context.Context, w *work, admin *kubeclient.Client) (info authenticationv1.UserInfo, found string) {
	if a.kubeconfig != "" {
		chosen, found := w.kubeContext(a.kubeconfig, "")
		if found != "" {
			return info, found
		}
		return w.logIn(ctx, chosen, admin)
	}
	if namespace, name, ok := strings.Cut(a.serviceAccount, "/"); ok {
		return authenticationv1.UserInfo{
			Username: prefixServiceAccount + namespace + ":" + name,
			Groups:   []string{groupServiceAccounts, groupServiceAccounts + ":" + namespace, groupAuthenticated},
		}, ""
	}
	return authenticationv1.UserInfo{Username: a.user, Groups: append(strings.Fields(a.groups), groupAuthenticated)}, ""
}

// lateTries bounds, with wait between them, how long what was just written may take to
// show: the API server's authorizer and admission see it a moment after it was stored.
const lateTries = 15

// readQuestions reads questions. Each of them stands for every verb with every
// resource in every namespace:
//
//	verbs       get, or [get, list]
//	resources   pods, pods/log, deployments.apps, roles.rbac.authorization.k8s.io;
//	            "*.*" is all resources of all groups
//	namespaces  web, or [web, db]; without it: of the cluster, or in all namespaces
//	names       of objects; without it: any
//	paths       /metrics, in place of resources, namespaces and names
func readQuestions(p *params, n *yaml.Node, what string, to *[]question) error {
	return p.elements(n, what, func(n *yaml.Node) error {
		var verbs, resources, paths []string
		namespaces, names := []string{""}, []string{""}
		texts := func(what string, to *[]string) yamlfile.Key {
			return yamlfile.Key{Name: what, Read: func(n *yaml.Node) (err error) { *to, err = p.textOrTexts(n, what); return err }}
		}
		err := p.Mapping(n, "a question", texts("verbs", &verbs), texts("resources", &resources), texts("namespaces", &namespaces),
			texts("names", &names), texts("paths", &paths))
		switch {
		case err != nil:
			return err
		case len(verbs) == 0 || len(resources)+len(paths) == 0 || len(resources) > 0 && len(paths) > 0:
			return p.ErrorAt(n, "write {verbs: get, resources: pods, namespaces: web}, or {verbs: get, paths: /metrics}", "a question needs verbs, and resources or paths")
		}
		for _, verb := range verbs {
			for _, path := range paths {
				*to = append(*to, question{text: verb + " " + path, path: &authorizationv1.NonResourceAttributes{Verb: verb, Path: path}})
			}
			for _, resource := range resources {
				for _, namespace := range namespaces {
					for _, name := range names {
						*to = append(*to, aboutResource(verb, resource, namespace, name))
					}
				}
			}
		}
		if len(*to) > maxQuestions {
			return p.ErrorAt(n, "make several checks of it", "%s has more than %d questions", what, maxQuestions)
		}
		return nil
	})
}

// maxQuestions of one list take half a second.
const maxQuestions = 300

// aboutResource takes a resource as kubectl does: pods/log, deployments.apps.
func aboutResource(verb, resource, namespace, name string) question {
	text := verb + " " + resource
	full, subresource, _ := strings.Cut(resource, "/")
	plural, group, _ := strings.Cut(full, ".")
	if name != "" {
		text += fmt.Sprintf(" %q", name)
	}
	// What namespace an object of the cluster is in does not matter: it has none.
	if clusterWide := []string{"nodes", "namespaces", "persistentvolumes", "users", "groups"}; namespace != "" {
		text += " in namespace " + namespace
	} else if !slices.Contains(clusterWide, plural) && !strings.HasPrefix(plural, "cluster") {
		text += " in all namespaces"
	}
	return question{text: text, resource: &authorizationv1.ResourceAttributes{
		Verb: verb, Group: group, Resource: plural, Subresource: subresource, Namespace: namespace, Name: name, Version: "*",
	}}
}
