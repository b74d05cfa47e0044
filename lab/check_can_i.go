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

// readCanICheck reads the parameters of a check of what somebody may do in the lab's
// cluster, of which its API server is asked, by SubjectAccessReviews:
//
//	as       who: {user: NAME, groups: [GROUP, ...]}, {serviceAccount: NAMESPACE/NAME},
//	         or {kubeconfig: FILE} for whom the API server takes its current user
//	allowed  what they must be allowed, a list of questions, see readQuestions
//	denied   what they must be denied
//	nothingElse
//	         everywhere, {in: NAMESPACE} or {outside: NAMESPACE}: by RBAC they have no
//	         right there but those in allowed
//	also     [{as: WHO, allowed: ..., denied: ...}, ...]: others who are asked for
//
// That nobody has any right at the beginning is no achievement: a check that denies
// goes together with one that allows, or asks for a kubeconfig of the learner's.
func readCanICheck(p *params) (grader, error) {
	var all []askedFor
	first := askedFor{}
	keys := first.keys(p)
	keys = append(keys, yamlfile.Key{Name: "also", Read: func(n *yaml.Node) error {
		return p.elements(n, "also", func(n *yaml.Node) error {
			var other askedFor
			err := p.Mapping(n, "an element of also", other.keys(p)...)
			if err == nil {
				err = other.complete(p, n)
			}
			all = append(all, other)
			return err
		})
	}})
	if err := p.fields(keys...); err != nil {
		return nil, err
	}
	if err := first.complete(p, p.node); err != nil {
		return nil, err
	}
	if err := p.needsCluster(); err != nil {
		return nil, err
	}
	all = append([]askedFor{first}, all...)
	return func(ctx context.Context, w *work) finding {
		admin, found := w.cluster(ctx)
		if found != "" {
			return finding{wanted: all[0].wanted(all[0].who.String()), found: found}
		}
		var wanted []string
		for _, a := range all {
			f := a.judge(ctx, w, admin)
			if !f.passed {
				return f
			}
			wanted = append(wanted, f.wanted)
		}
		return finding{true, strings.Join(wanted, "; "), "as wanted"}
	}, nil
}

// askedFor is somebody, and what they must and must not be able to do.
type askedFor struct {
	who             asker
	allowed, denied []question
	rest            nothingElse
}

func (a *askedFor) keys(p *params) []yamlfile.Key {
	return []yamlfile.Key{
		{Name: "as", Read: func(n *yaml.Node) error { return a.who.read(p, n) }},
		{Name: "allowed", Read: func(n *yaml.Node) error { return readQuestions(p, n, "allowed", &a.allowed) }},
		{Name: "denied", Read: func(n *yaml.Node) error { return readQuestions(p, n, "denied", &a.denied) }},
		a.rest.key(p),
	}
}

func (a *askedFor) complete(p *params, n *yaml.Node) error {
	switch {
	case a.who == (asker{}):
		return p.ErrorAt(n, "write as: {user: NAME}", "it does not say who is asked for")
	case len(a.allowed)+len(a.denied) == 0 && !a.rest.asked():
		return p.ErrorAt(n, "write allowed or denied, as in allowed: [{verbs: get, resources: pods, namespaces: web}]", "it asks for nothing")
	}
	return nil
}

// wanted says what is, in a line: a list of all would be none.
func (a *askedFor) wanted(who string) string {
	var parts []string
	if len(a.allowed) > 0 {
		parts = append(parts, fmt.Sprintf("%s may %s", who, some(a.allowed)))
	}
	if len(a.denied) > 0 {
		parts = append(parts, fmt.Sprintf("%s may not %s", who, some(a.denied)))
	}
	return strings.Join(parts, ", and ")
}

const shownQuestions = 3

func some(list []question) string {
	var texts []string
	for _, q := range list[:min(len(list), shownQuestions)] {
		texts = append(texts, q.text)
	}
	if more := len(list) - shownQuestions; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(texts, ", "), more)
	}
	return strings.Join(texts, ", ")
}

// judge asks all questions, and says the first whose answer is wrong. What a learner
// has just written may not have reached the authorizer yet: a wrong answer is asked
// for again.
func (a *askedFor) judge(ctx context.Context, w *work, admin *kubeclient.Client) finding {
	user, found := a.who.identity(ctx, w, admin)
	if found != "" {
		return finding{wanted: a.wanted(a.who.String()), found: found}
	}
	for i, q := range slices.Concat(a.allowed, a.denied) {
		want := i < len(a.allowed)
		is, err := q.ask(ctx, admin, user)
		for try := 0; err == nil && is.Allowed != want && try < lateTries && wait(ctx) == nil; try++ {
			is, err = q.ask(ctx, admin, user)
		}
		switch {
		case err != nil:
			return finding{wanted: a.wanted(user.Username), found: err.Error()}
		case is.Allowed != want && want:
			return finding{wanted: user.Username + " may " + q.text, found: "the API server denies it" + asWhom(user)}
		case is.Allowed != want:
			return finding{wanted: user.Username + " may not " + q.text, found: "the API server allows it" + asWhom(user) + byReason(is.Reason)}
		}
	}
	namespace, right, err := a.rest.judge(ctx, admin, user, a.allowed)
	for try := 0; err == nil && right != "" && try < lateTries && wait(ctx) == nil; try++ {
		namespace, right, err = a.rest.judge(ctx, admin, user, a.allowed)
	}
	switch {
	case err != nil:
		return finding{wanted: a.wanted(user.Username), found: err.Error()}
	case right != "":
		return finding{wanted: user.Username + " has no other right in namespace " + namespace, found: "by RBAC it may " + right + asWhom(user)}
	}
	return finding{true, a.wanted(user.Username), ""}
}

// asWhom names the groups, which those of service accounts go without saying.
func asWhom(user authenticationv1.UserInfo) string {
	groups := slices.DeleteFunc(slices.Clone(user.Groups), func(g string) bool { return g == groupAuthenticated })
	if len(groups) == 0 || strings.HasPrefix(user.Username, prefixServiceAccount) {
		return ""
	}
	return ", as a member of " + strings.Join(groups, ", ")
}

// byReason is the reason that an authorizer gives: RBAC names the binding.
func byReason(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + reason
}

// question is one thing that somebody may do, or not.
type question struct {
	text     string // get pods/log in namespace web
	resource *authorizationv1.ResourceAttributes
	path     *authorizationv1.NonResourceAttributes
}

func (q question) ask(ctx context.Context, admin *kubeclient.Client, user authenticationv1.UserInfo) (authorizationv1.SubjectAccessReviewStatus, error) {
	// The answer is read into what was sent, and the question is the lab's, which is shared.
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		ResourceAttributes: q.resource.DeepCopy(), NonResourceAttributes: q.path.DeepCopy(), User: user.Username, Groups: user.Groups,
	}}
	err := admin.Create(ctx, kubeclient.SubjectAccessReviews, review, review)
	return review.Status, err
}
