package csr

import (
	"context"
	"slices"
	"strings"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/pkictl/pkictl/internal/kubeclient"
)

// askedNamespaces is in how many namespaces each action is asked about: it is
// some hundred questions for each.
const askedNamespaces = 5

// askOneByOne asks about each action of the tables that no rule allows, where
// an authorizer cannot list what it allows: webhooks cannot, which managed
// clusters have (Kubernetes, "Authorization", SelfSubjectRulesReview). What is
// allowed becomes a rule. Nodes are left alone: of theirs the node authorizer
// decides by the object, and admission narrows it down.
func (a *Access) askOneByOne(ctx context.Context, speaking *kubeclient.Client) error {
	if !a.Incomplete || a.Everything {
		return nil
	}
	if strings.HasPrefix(a.Username, prefixNode) && slices.Contains(a.Groups, groupNodes) {
		a.note("there may be more: an authorizer of this cluster does not say what it allows")
		return nil
	}
	scopes := a.Scopes
	if len(scopes) > askedNamespaces+1 {
		scopes = scopes[:askedNamespaces+1]
		a.note("in the namespaces behind " + scopes[askedNamespaces].Namespace + " there may be more: an authorizer of this cluster cannot list what it allows")
	} else {
		a.note("an authorizer of this cluster cannot list what it allows: the dangers, and what is not allowed, were asked for one by one; of the rest there may be more")
	}
	for i := range scopes {
		found, err := askEach(ctx, speaking, scopes[i].Namespace, slices.Concat(a.Scopes[0].Rules, scopes[i].Rules))
		if err != nil {
			return err
		}
		scopes[i].Rules = append(scopes[i].Rules, found...)
	}
	a.asked = len(scopes) == len(a.Scopes)
	return nil
}

// askEach returns a rule for each action of the tables that is allowed in a
// namespace, or in the whole cluster, and not yet by the known rules.
func askEach(ctx context.Context, speaking *kubeclient.Client, namespace string, known []rbacv1.PolicyRule) ([]rbacv1.PolicyRule, error) {
	var unknown []action
	for _, act := range tableActions() {
		if all, _ := allowed(known, act); !all && (namespace == "" || inNamespace(act) != nil) {
			unknown = append(unknown, act)
		}
	}
	reviews := make([]authorizationv1.SelfSubjectAccessReview, len(unknown))
	var tasks []func(context.Context) error
	for i, act := range unknown {
		resource, subresource, _ := strings.Cut(act.resource, "/")
		ask := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
			ResourceAttributes: &authorizationv1.ResourceAttributes{
				Namespace: namespace, Verb: act.verb, Group: act.group, Version: "*", Resource: resource, Subresource: subresource,
			},
		}}
		tasks = append(tasks, func(ctx context.Context) error {
			return speaking.Create(ctx, kubeclient.SelfSubjectAccessReviews, ask, &reviews[i])
		})
	}
	if err := atOnce(ctx, askAtOnce, tasks); err != nil {
		return nil, err
	}
	var rules []rbacv1.PolicyRule
	for i, act := range unknown {
		if reviews[i].Status.Allowed {
			rules = append(rules, rbacv1.PolicyRule{Verbs: []string{act.verb}, APIGroups: []string{act.group}, Resources: []string{act.resource}})
		}
	}
	return rules, nil
}

// tableActions lists the actions of the tables, each once.
func tableActions() []action {
	var list []action
	seen := map[action]bool{}
	add := func(actions []action) {
		for _, act := range actions {
			if !seen[act] {
				seen[act], list = true, append(list, act)
			}
		}
	}
	for _, row := range dangers {
		add(row.actions)
		add(row.also)
	}
	for _, question := range asked {
		add(question.actions)
	}
	return list
}
