package csr

import (
	"cmp"
	"context"
	"slices"
	"sync"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/pkictl/pkictl/internal/kubeclient"
)

// Where an Access is known from.
const (
	FromReview   = "the API server's own answer"                 // SelfSubjectRulesReview, asked as the user
	FromBindings = "the bindings and roles that could be listed" // RBAC alone
)

// Access is what somebody may do in a cluster.
type Access struct {
	Username string   `json:"username"`
	Groups   []string `json:"groups,omitempty"`
	// Source says how this is known: FromReview or FromBindings.
	Source string `json:"source"`
	// Everything is true for who may do all: */*, or the group system:masters.
	Everything bool `json:"everything"`
	// Dangers are what reaches further than it looks, the worst first.
	Dangers []Danger  `json:"dangers"`
	May     []Grant   `json:"may"`
	MayNot  []Refusal `json:"mayNot"`
	// Incomplete is true where there are authorizers that cannot list what they
	// allow. Then May lacks what these allow, but Dangers and MayNot were asked for one
	// by one, unless a note says otherwise.
	Incomplete bool `json:"incomplete"`
	// Notes say what is not known and why.
	Notes []string `json:"notes,omitempty"`
	// Namespaces are those that were asked about; in others only the rules of
	// the whole cluster are known.
	Namespaces []string `json:"namespaces"`
	// OnlyAsked is true where the bindings could not be listed: there may be more
	// in namespaces that were not asked about, and MayNot speaks of those alone
	// that were.
	OnlyAsked bool `json:"onlyAsked"`
	// Common counts the rules left out because all who are authenticated have them.
	Common int `json:"commonRules"`
	// Scopes have the rules: first those of the whole cluster, then what each
	// namespace adds.
	Scopes []Scope `json:"scopes"`

	common []rbacv1.PolicyRule
	// asked says that each action of the tables has been asked about, where the
	// rules are incomplete.
	asked bool
}

// Scope is where rules apply.
type Scope struct {
	Namespace string              `json:"namespace,omitempty"` // empty: the whole cluster
	Rules     []rbacv1.PolicyRule `json:"rules"`
}

// WholeCluster says whether one of the dangers reaches the whole cluster.
func (a *Access) WholeCluster() bool {
	return slices.ContainsFunc(a.Dangers, func(d Danger) bool { return d.WholeCluster })
}

// noNamespace can be the name of none, so no RoleBinding applies there: what is
// allowed in it is allowed by the whole cluster's bindings.
const noNamespace = "_whole_cluster_"

// askAtOnce is how many namespaces are asked about at a time.
const askAtOnce = 8

// AccessOf asks the API server what the user may do as whom the client speaks,
// in the whole cluster and in the namespaces given: SelfSubjectRulesReview
// (authorization.k8s.io/v1), which everybody may ask by default. An error is
// that of a request that failed; the API server refuses (IsForbidden) who
// speaks through kubeclient.Client.As and may not impersonate.
func AccessOf(ctx context.Context, speaking *kubeclient.Client, namespaces []string) (*Access, error) {
	namespaces = slices.Compact(slices.Sorted(slices.Values(namespaces)))
	reviews := make([]authorizationv1.SelfSubjectRulesReview, len(namespaces)+1)
	var who authenticationv1.UserInfo
	var all bool
	tasks := []func(context.Context) error{
		func(ctx context.Context) (err error) { who, err = whoIs(ctx, speaking); return err },
		func(ctx context.Context) (err error) { all, err = mayAll(ctx, speaking); return err },
	}
	for i, namespace := range append([]string{noNamespace}, namespaces...) {
		tasks = append(tasks, func(ctx context.Context) error {
			ask := &authorizationv1.SelfSubjectRulesReview{Spec: authorizationv1.SelfSubjectRulesReviewSpec{Namespace: namespace}}
			return speaking.Create(ctx, kubeclient.SelfSubjectRulesReviews, ask, &reviews[i])
		})
	}
	if err := atOnce(ctx, askAtOnce, tasks); err != nil {
		return nil, err
	}
	a := &Access{Username: who.Username, Groups: who.Groups, Source: FromReview, Everything: all, Namespaces: namespaces}
	whole := answeredRules(&reviews[0])
	a.Scopes = []Scope{{Rules: whole}}
	for i, namespace := range namespaces {
		a.Scopes = append(a.Scopes, Scope{Namespace: namespace, Rules: without(answeredRules(&reviews[i+1]), whole)})
	}
	for _, r := range reviews {
		a.Incomplete = a.Incomplete || r.Status.Incomplete
		if r.Status.EvaluationError != "" {
			a.note(r.Status.EvaluationError)
		}
	}
	if err := a.askOneByOne(ctx, speaking); err != nil {
		return nil, err
	}
	a.conclude()
	return a, nil
}

func (a *Access) note(text string) {
	if !slices.Contains(a.Notes, text) {
		a.Notes = append(a.Notes, text)
	}
}

// onlyAsked notes that nobody knows of other namespaces than those asked about.
func (a *Access) onlyAsked() {
	if !a.Everything {
		a.OnlyAsked = true
		a.note("in which other namespaces they may do something is not known: listing all bindings is not allowed")
	}
}

// whoIs asks for the user name and groups that the API server takes the client
// for. It has been able to tell since Kubernetes 1.28.
func whoIs(ctx context.Context, speaking *kubeclient.Client) (authenticationv1.UserInfo, error) {
	var review authenticationv1.SelfSubjectReview
	err := speaking.Create(ctx, kubeclient.SelfSubjectReviews, &authenticationv1.SelfSubjectReview{}, &review)
	if apierrors.IsNotFound(err) {
		err = nil
	}
	return review.Status.UserInfo, err
}

// mayAll asks for everything at once. The group system:masters has no rules: an
// authorizer that runs ahead of all others lets it pass (kubernetes,
// pkg/kubeapiserver/authorizer/reload.go). Webhooks that allow all have none either.
func mayAll(ctx context.Context, speaking *kubeclient.Client) (bool, error) {
	var review authorizationv1.SelfSubjectAccessReview
	all := &authorizationv1.ResourceAttributes{Verb: "*", Group: "*", Version: "*", Resource: "*"}
	ask := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: all}}
	err := speaking.Create(ctx, kubeclient.SelfSubjectAccessReviews, ask, &review)
	return review.Status.Allowed, err
}

// answeredRules returns the rules of an answer as those of a role.
func answeredRules(r *authorizationv1.SelfSubjectRulesReview) []rbacv1.PolicyRule {
	var rules []rbacv1.PolicyRule
	for _, rule := range r.Status.ResourceRules {
		rules = append(rules, rbacv1.PolicyRule{
			Verbs: rule.Verbs, APIGroups: rule.APIGroups, Resources: rule.Resources, ResourceNames: rule.ResourceNames,
		})
	}
	for _, rule := range r.Status.NonResourceRules {
		rules = append(rules, rbacv1.PolicyRule{Verbs: rule.Verbs, NonResourceURLs: rule.NonResourceURLs})
	}
	return rules
}

// without returns the rules that are not among others, and that have an effect
// in a namespace: URLs are granted in the whole cluster alone.
func without(rules, others []rbacv1.PolicyRule) []rbacv1.PolicyRule {
	known := map[string]bool{}
	for _, rule := range others {
		known[rule.String()] = true
	}
	return slices.DeleteFunc(slices.Clone(rules), func(rule rbacv1.PolicyRule) bool {
		return known[rule.String()] || len(rule.Resources) == 0
	})
}

// atOnce runs tasks, a few at a time, and returns the first error in their order.
func atOnce(ctx context.Context, limit int, tasks []func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	slots := make(chan struct{}, limit)
	var running sync.WaitGroup
	for _, task := range tasks {
		slots <- struct{}{}
		if ctx.Err() != nil {
			break
		}
		running.Go(func() {
			defer func() { <-slots }()
			if err := task(ctx); err != nil {
				cancel(err) // the first one counts: the others fail because of it
			}
		})
	}
	running.Wait()
	return context.Cause(ctx)
}

// conclude leaves out what everybody may do, and draws the conclusions from
// the rest.
func (a *Access) conclude() {
	for i, scope := range a.Scopes {
		a.Scopes[i].Rules = []rbacv1.PolicyRule{}
		for _, rule := range scope.Rules {
			if everybodys(rule) {
				a.common = append(a.common, rule)
			} else {
				a.Scopes[i].Rules = append(a.Scopes[i].Rules, rule)
			}
		}
	}
	a.Common = len(a.common)
	slices.SortStableFunc(a.Scopes, func(x, y Scope) int { return cmp.Compare(x.Namespace, y.Namespace) })
	a.Everything = a.Everything || len(a.Scopes) > 0 && a.Scopes[0].Namespace == "" && slices.ContainsFunc(a.Scopes[0].Rules, isEverything)
	a.Dangers = a.findDangers()
	a.sortDangers()
	a.May = a.summarize()
	a.MayNot = a.refusals()
}
