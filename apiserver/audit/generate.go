package audit

import (
	"cmp"
	"slices"
	"strings"

	internal "k8s.io/apiserver/pkg/apis/audit"

	"github.com/pkictl/pkictl/internal/failure"
)

// Options say what a policy is to log.
type Options struct {
	// Preset is the name of one of Presets; empty is DefaultPreset.
	Preset string
	// Log are rules in Words, such as "delete pods in prod-namespace at RequestResponse".
	Log []string
	// Ignore are rules in Words without a level, for what is not logged.
	Ignore []string
	// Rules are rules in Keys, such as "verbs=delete;resources=pods;level=Request".
	Rules []string
}

// Generate writes a policy, in YAML with comments. The rules that were asked for
// come before those of the preset, the narrower before the wider, and before each
// that would log bodies of Secrets, ConfigMaps and tokens one that does not. Each
// rule decides some request: one of the preset that does not is left out, and one
// that was asked for is an error. Errors are of kind Usage, or Refused where
// bodies of secrets are asked for by name.
func Generate(o Options) ([]byte, error) {
	preset, err := findPreset(cmp.Or(o.Preset, DefaultPreset))
	if err != nil {
		return nil, err
	}
	asked, err := askedFor(o)
	if err != nil {
		return nil, err
	}
	rules, dropped, err := reachable(slices.Concat(asked, preset.rules()))
	if err != nil {
		return nil, err
	}
	return write(document{options: o, preset: preset, rules: rules, dropped: dropped})
}

// askedFor returns the rules that were asked for in their order, with the guards
// that they need.
func askedFor(o Options) ([]rule, error) {
	var rules []rule
	for _, form := range []struct {
		flag  string
		texts []string
		parse func(flag, text string) (rule, error)
	}{
		{"--log", o.Log, func(flag, text string) (rule, error) { return parseWords(flag, text, "") }},
		{"--rule", o.Rules, parseKeys},
		{"--ignore", o.Ignore, func(flag, text string) (rule, error) { return parseWords(flag, text, internal.LevelNone) }},
	} {
		for _, text := range form.texts {
			if err := checkText(form.flag, text); err != nil {
				return nil, err
			}
			r, err := form.parse(form.flag, text)
			if err != nil {
				return nil, err
			}
			r.why = "Asked for with " + r.from + "." + added(text, &r.PolicyRule)
			rules = append(rules, r)
		}
	}
	sorted, err := inOrder(rules)
	if err != nil {
		return nil, err
	}
	var guardedRules []rule
	for _, r := range sorted {
		if guard, needed := guardOf(r); needed {
			guardedRules = append(guardedRules, guard)
		}
		guardedRules = append(guardedRules, r)
	}
	return guardedRules, nil
}

// added says what a rule has beside the words that asked for it.
func added(text string, r *internal.PolicyRule) string {
	why := ""
	if slices.Contains(r.Verbs, "deletecollection") && !strings.Contains(text, "deletecollection") && !strings.Contains(text, "changes") {
		why = " Who deletes many with one request does it with deletecollection."
	}
	if strings.Contains(text, "changes") && !slices.Contains(r.Verbs, "create") {
		why += " Requests that create have no name yet, and deletecollection never has one."
	}
	if aboveMetadata(r.Level) && len(r.Resources) > 1 && (r.Resources[0].Resources == nil || r.Resources[0].Resources[0] == "*") {
		why += " These are Kubernetes' own groups: what custom resources hold nobody knows, so they are to be named."
	}
	return why
}

// reachable returns the rules that decide some request, and the others, which
// are of the preset.
func reachable(rules []rule) (kept, dropped []rule, err error) {
	policy := &Policy{}
	for _, r := range rules {
		policy.Rules = append(policy.Rules, r.PolicyRule)
	}
	evaluator := policy.Evaluator()
	for i, r := range rules {
		_, reached := policy.requestFor(i, evaluator)
		isGuard := i+1 < len(rules) && r.from != "" && rules[i+1].from == r.from
		switch {
		case reached:
			kept = append(kept, r)
		case r.from == "":
			dropped = append(dropped, r)
		case !isGuard:
			return nil, nil, failure.New(failure.Usage, "leave it out, or make the others narrower",
				"%s decides nothing: the other rules you gave take all its requests", r.from)
		}
	}
	return kept, dropped, nil
}
