package lab

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/yamlfile"
)

// readKubesecCheck reads the parameters of a check of how kubesec scores an object:
//
//	file, kind, apiVersion, name, namespace
//	            the object, see kind manifest
//	score       how many points it has at least
//	noCritical  true: it meets no rule of negative points
//	meets       rules, by kubesec's IDs, that it meets
func readKubesecCheck(p *params) (grader, error) {
	var file string
	var want wantedObject
	var conditions []condition[*kubesecScore]
	err := p.fields(
		p.file("file", &file),
		p.text("kind", &want.kind),
		p.text("apiVersion", &want.apiVersion),
		p.text("name", &want.name),
		p.text("namespace", &want.namespace),
		add(&conditions, "score", p.kubesecPoints),
		add(&conditions, "noCritical", p.kubesecCritical),
		yamlfile.Key{Name: "meets", Read: func(n *yaml.Node) error { return p.kubesecMeets(n, &conditions) }},
	)
	if err != nil {
		return nil, err
	}
	if want.kind == "" {
		return nil, p.ErrorAt(p.node, "name it, as in kind: Deployment", "%s has no field %q", p.what, "kind")
	}
	return func(_ context.Context, w *work) finding {
		docs, found := w.documents(file)
		if found != "" {
			return finding{wanted: want.String() + " in " + file, found: found}
		}
		chosen, found := want.choose(docs)
		if found != "" {
			return finding{wanted: want.String(), found: found}
		}
		f := finding{passed: true}
		for _, d := range chosen {
			score, found := d.kubesec()
			if found != "" {
				return finding{wanted: want.String(), found: found}
			}
			if f = judge(score, w, conditions); !f.passed {
				break
			}
		}
		f.wanted = want.String() + ": " + f.wanted
		return f
	}, p.someOf(len(conditions), file)
}

func (p *params) kubesecPoints(n *yaml.Node) (condition[*kubesecScore], error) {
	want, err := p.Number(n, "score", 100)
	return func(s *kubesecScore, _ *work) (string, string, bool) {
		found := fmt.Sprintf("%d points", s.points)
		for _, rule := range s.critical {
			found += fmt.Sprintf("; %d for %s", rule.points, rule.selector)
		}
		if more := advice(s.advised); more != "" {
			found += "; it could gain " + more
		}
		return fmt.Sprintf("at least %d points of kubesec", want), found, s.points >= want
	}, err
}

// advice names some rules: those of most points, in kubesec's order, but for those of
// annotations that no Kubernetes of today reads.
func advice(rules []kubesecRule) string {
	rules = slices.DeleteFunc(slices.Clone(rules), func(rule kubesecRule) bool { return strings.Contains(rule.selector, ".annotations") })
	slices.SortStableFunc(rules, func(a, b kubesecRule) int { return b.points - a.points })
	var words []string
	for _, rule := range rules[:min(len(rules), 4)] {
		words = append(words, fmt.Sprintf("%d by %s", rule.points, rule.id))
	}
	return strings.Join(words, ", ")
}

func (p *params) kubesecCritical(n *yaml.Node) (condition[*kubesecScore], error) {
	return func(s *kubesecScore, _ *work) (string, string, bool) {
		var found []string
		for _, rule := range s.critical {
			found = append(found, fmt.Sprintf("%s (%d)", rule.selector, rule.points))
		}
		return "nothing that kubesec calls critical", strings.Join(found, "; "), len(found) == 0
	}, p.isTrue(n, "noCritical")
}

func (p *params) kubesecMeets(n *yaml.Node, conditions *[]condition[*kubesecScore]) error {
	ids := func(rules []kubesecRule) (ids []string) {
		for _, rule := range rules {
			ids = append(ids, rule.id)
		}
		return ids
	}
	known := ids(kubesecRules())
	return p.List(n, "meets", func(n *yaml.Node, id string) error {
		if !slices.Contains(known, id) {
			return p.ErrorAt(n, failure.Suggest(id, known), "kubesec has no rule %q", id)
		}
		rule := kubesecRules()[slices.Index(known, id)]
		*conditions = append(*conditions, func(s *kubesecScore, _ *work) (string, string, bool) {
			return rule.selector, "no container has that", slices.Contains(ids(s.passed), id)
		})
		return nil
	})
}
