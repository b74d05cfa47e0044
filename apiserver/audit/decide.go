package audit

import (
	"slices"
	"strconv"

	internal "k8s.io/apiserver/pkg/apis/audit"
	"k8s.io/apiserver/pkg/audit"
	"k8s.io/apiserver/pkg/audit/policy"
)

// NoRule is the rule of a request that none matches. Nothing is logged of it.
const NoRule = -1

// Decision is what a policy does with a request.
type Decision struct {
	Rule              int // its index, or NoRule
	Level             internal.Level
	OmitStages        []internal.Stage // of the policy and of the rule, each once; the caller does not change it
	OmitManagedFields bool
}

// Evaluator decides about requests by a policy. Several goroutines may use it.
type Evaluator struct {
	policy audit.PolicyRuleEvaluator
	levels []internal.Level // of the rules
}

// Evaluator returns what decides by the policy, which is k8s.io/apiserver's own
// evaluator. It does not tell which rule it was: in the copy it is given, each
// rule's index stands for its level.
func (p *Policy) Evaluator() *Evaluator {
	e := new(Evaluator)
	numbered := p.DeepCopy() // it is changed, here and by the evaluator
	for i := range numbered.Rules {
		e.levels = append(e.levels, numbered.Rules[i].Level)
		numbered.Rules[i].Level = internal.Level(strconv.Itoa(i))
	}
	e.policy = policy.NewPolicyRuleEvaluator(numbered)
	// It has merged the stages in the rules of its copy, by way of a map.
	for i := range numbered.Rules {
		sortStages(numbered.Rules[i].OmitStages)
	}
	return e
}

// levels are all, of which each logs more than the one before it.
var levels = [...]internal.Level{internal.LevelNone, internal.LevelMetadata, internal.LevelRequest, internal.LevelRequestResponse}

// stages are all, in the order in which a request comes to them.
var stages = [...]internal.Stage{internal.StageRequestReceived, internal.StageResponseStarted, internal.StageResponseComplete, internal.StagePanic}

func levelNames() []string { return asTexts(levels[:]) }
func stageNames() []string { return asTexts(stages[:]) }

func asTexts[T ~string](list []T) []string {
	var all []string
	for _, one := range list {
		all = append(all, string(one))
	}
	return all
}

func levelIndex(l internal.Level) int { return slices.Index(levels[:], l) }
func stageIndex(s internal.Stage) int { return slices.Index(stages[:], s) }

func sortStages(list []internal.Stage) {
	slices.SortFunc(list, func(a, b internal.Stage) int { return stageIndex(a) - stageIndex(b) })
}

// Decide says what the policy does with a request.
func (e *Evaluator) Decide(r *Request) Decision {
	config := e.policy.EvaluatePolicyRule(r.attributes())
	d := Decision{Rule: NoRule, Level: policy.DefaultAuditLevel, OmitStages: config.OmitStages, OmitManagedFields: config.OmitManagedFields}
	if i, err := strconv.Atoi(string(config.Level)); err == nil {
		d.Rule, d.Level = i, e.levels[i]
	}
	return d
}

// Keeps says whether an event of this stage is logged.
func (d *Decision) Keeps(stage internal.Stage) bool {
	return d.Level != internal.LevelNone && !slices.Contains(d.OmitStages, stage)
}
