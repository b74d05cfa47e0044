package audit

import (
	"slices"

	internal "k8s.io/apiserver/pkg/apis/audit"

	"github.com/pkictl/pkictl/internal/failure"
)

// DefaultPreset is the preset of a policy for which none was chosen.
const DefaultPreset = "cis"

// noPreset has no rules: those that were asked for, and a last one for the rest.
const noPreset = "none"

// Preset is a set of rules that policies begin with.
type Preset struct {
	Name string `json:"name"`
	What string `json:"what"` // one line, for people

	rules func() []rule
}

// rule is a rule of a policy to be written.
type rule struct {
	why  string // a comment, of one line
	from string // the words that asked for it, empty in a preset
	internal.PolicyRule
}

// Presets returns all presets, the one that logs least first.
func Presets() []Preset {
	return []Preset{
		{Name: "minimal", What: "who changed what, and who went into pods; no reads, not even of Secrets", rules: minimalRules},
		{Name: DefaultPreset, What: "what CIS 3.2.1 and 3.2.2 ask for: all but noise, with the bodies of what changes workloads and rights", rules: cisRules},
		{Name: "detailed", What: "as cis, with what was sent and what came of it for every change to Kubernetes' own resources", rules: detailedRules},
		{Name: "exam", What: "few rules, as tasks of the CKS exam have them, and nothing left out", rules: examRules},
		{Name: noPreset, What: "the rules that you give, and Metadata for the rest", rules: noRules},
	}
}

func findPreset(name string) (Preset, error) {
	presets := Presets()
	var names []string
	for _, p := range presets {
		names = append(names, p.Name)
	}
	if i := slices.Index(names, name); i >= 0 {
		return presets[i], nil
	}
	return Preset{}, failure.New(failure.Usage, failure.DidYouMean(name, names, "choose one of "+list(names)), "there is no preset %q", name)
}

// guarded are the resources whose bodies are secrets, by their groups: they are
// never logged above Metadata. Configmaps are, for what people put into them; CIS
// 3.2.2 names them too.
func guarded() []internal.GroupResources {
	var groups []internal.GroupResources
	for _, s := range secretResources() {
		groups = addResource(groups, resources(s.group, s.name))
	}
	return groups
}

// pods/exec and its like are get or create.
var (
	reads   = []string{"get", "list", "watch"}
	changes = []string{"create", "update", "patch", "delete", "deletecollection"}
)

// Verbs are those of requests for resources (k8s.io/apiserver/pkg/endpoints/request,
// RequestInfo).
func Verbs() []string { return slices.Concat(reads, changes) }

func resources(group string, names ...string) internal.GroupResources {
	return internal.GroupResources{Group: group, Resources: names}
}
