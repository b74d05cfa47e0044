package audit

import (
	"slices"
	"strings"

	internal "k8s.io/apiserver/pkg/apis/audit"
)

// Explanation says what a policy does with a request, and why.
type Explanation struct {
	Request Request
	// Decision is the evaluator's. Of a request by nobody it is that for who is in
	// no list of the policy.
	Decision Decision
	// Earlier are the rules before that which decides, in order; all where none does.
	Earlier []Earlier
	// Events are those that a request which goes through leaves in the log.
	Events []Event
	// Notes are about what is easily taken for something else.
	Notes []string
}

// Earlier is a rule that comes before the one that decides.
type Earlier struct {
	Rule int // its index
	// Reasons say why it does not match, one for each field that does not. A rule
	// without any matches those alone whom it names: see Who.
	Reasons []Reason
	// Who says that the rule decides about those users and groups whom it names. It
	// is set only where the request says nobody.
	Who bool
}

// Reason is why a rule does not match.
type Reason struct {
	Field string `json:"field"` // of the rule
	Why   string `json:"why"`
}

// Event is what the log holds of a request that goes through. A body that is not
// sent it cannot hold: kubectl sends one with each delete.
type Event struct {
	Stage        internal.Stage `json:"stage"`
	RequestBody  bool           `json:"requestBody"`
	ResponseBody bool           `json:"responseBody"`
}

// Explain says what the policy does with a request. Where the request has no user,
// or no groups, the rules that name some are told apart.
func (p *Policy) Explain(r Request) *Explanation {
	return p.explain(p.Evaluator(), r)
}

func (p *Policy) explain(evaluator *Evaluator, r Request) *Explanation {
	e := &Explanation{Request: r, Decision: evaluator.Decide(&r)}
	e.Events = e.Decision.events(&r)
	for i := range p.Rules {
		if i == e.Decision.Rule {
			break
		}
		earlier := Earlier{Rule: i, Reasons: reasonsOf(&p.Rules[i], &r)}
		if unknown := slices.DeleteFunc(slices.Clone(earlier.Reasons), func(why Reason) bool { return r.unknown(why.Field) }); len(unknown) == 0 {
			earlier.Reasons, earlier.Who = nil, true
		} else {
			earlier.Reasons = unknown
		}
		e.Earlier = append(e.Earlier, earlier)
	}
	e.Notes = p.notes(evaluator, e)
	return e
}

// unknown says whether the request leaves open what a field of a rule speaks of.
func (r *Request) unknown(field string) bool {
	return r.User == "" && (field == "users" || field == "userGroups" && len(r.Groups) == 0)
}

// longRunning says whether the API server takes the request for one whose answer
// goes on (k8s.io/kubernetes/pkg/controlplane/apiserver/config.go, LongRunningFunc).
func (r *Request) longRunning() bool {
	if !r.IsResource {
		return strings.HasPrefix(r.Path, "/debug/pprof/")
	}
	return slices.Contains([]string{"watch", "proxy"}, r.Verb) ||
		slices.Contains([]string{"attach", "exec", "proxy", "log", "portforward"}, r.Subresource)
}

// isStream says whether what is sent and answered is no object of Kubernetes, so
// that no event has it (k8s.io/apiserver/pkg/endpoints/handlers, ConnectResource).
func (r *Request) isStream() bool { return !r.IsResource || r.longRunning() }

// isDiscovery says whether a path that is no resource is answered with an object
// all the same: the lists of API groups, versions and resources.
func (r *Request) isDiscovery() bool {
	parts := strings.Split(strings.Trim(r.Path, "/"), "/")
	return !r.IsResource && r.Verb == "get" && (parts[0] == "api" && len(parts) <= 2 || parts[0] == "apis" && len(parts) <= 3)
}

// sendsBody says whether the request has an object that the log can hold.
func (r *Request) sendsBody() bool {
	return !r.isStream() && slices.Contains([]string{"create", "update", "patch", "delete", "deletecollection"}, r.Verb)
}

// events returns what a request leaves in the log. Bodies are not known before
// the response begins.
func (d *Decision) events(r *Request) []Event {
	var events []Event
	for _, stage := range stages[:] {
		isSent := stage != internal.StagePanic && (stage != internal.StageResponseStarted || r.longRunning())
		if !isSent || !d.Keeps(stage) {
			continue
		}
		e := Event{Stage: stage}
		if stage == internal.StageResponseComplete {
			e.RequestBody = d.Level.GreaterOrEqual(internal.LevelRequest) && r.sendsBody()
			e.ResponseBody = d.Level.GreaterOrEqual(internal.LevelRequestResponse) && (!r.isStream() || r.isDiscovery())
		}
		events = append(events, e)
	}
	return events
}
