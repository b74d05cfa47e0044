package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/pkictl/pkictl/apiserver/audit"
)

// auditRule is a rule of a policy, as results name it.
type auditRule struct {
	Rule  int    `json:"rule"`           // from 1; 0: none matches
	Line  int    `json:"line,omitempty"` // in the file
	Level string `json:"level"`
}

type earlierRule struct {
	auditRule
	Reasons []audit.Reason `json:"reasons,omitempty"`
	// DecidesFor are those whom the rule names, where the request names nobody.
	DecidesFor string `json:"decidesFor,omitempty"`
}

type auditDecision struct {
	typeMeta
	Policy  string        `json:"policy"`
	Request audit.Request `json:"request"`
	auditRule
	Text              []string      `json:"text,omitempty"` // of the rule
	Events            []audit.Event `json:"events"`
	OmitStages        []string      `json:"omitStages,omitempty"`
	OmitManagedFields bool          `json:"omitManagedFields"`
	Earlier           []earlierRule `json:"earlier,omitempty"`
	Notes             []string      `json:"notes,omitempty"`
	Warnings          []string      `json:"warnings,omitempty"`
}

func ruleOf(policy *audit.Policy, rule int) auditRule {
	r := auditRule{Rule: rule + 1, Line: policy.Line(rule), Level: "None"}
	if rule != audit.NoRule {
		r.Level = string(policy.Rules[rule].Level)
	}
	return r
}

func (a *app) reportDecision(policy *audit.Policy, e *audit.Explanation, warnings []string) error {
	d := auditDecision{
		typeMeta: kind("AuditDecision"), Policy: policy.Name, Request: e.Request,
		auditRule: ruleOf(policy, e.Decision.Rule), Text: dedented(policy.Text(e.Decision.Rule)),
		Events: append([]audit.Event{}, e.Events...), OmitManagedFields: e.Decision.OmitManagedFields,
		Notes: e.Notes, Warnings: warnings,
	}
	for _, stage := range e.Decision.OmitStages {
		d.OmitStages = append(d.OmitStages, string(stage))
	}
	for _, earlier := range e.Earlier {
		shown := earlierRule{auditRule: ruleOf(policy, earlier.Rule), Reasons: earlier.Reasons}
		if earlier.Who {
			shown.DecidesFor = audit.WhoseText(&policy.Rules[earlier.Rule])
		}
		d.Earlier = append(d.Earlier, shown)
	}
	return a.print(d, func(w io.Writer) { printAuditDecision(w, &d) })
}

// dedented takes away what all lines are indented by.
func dedented(lines []string) []string {
	least := -1
	for _, line := range lines {
		if text := strings.TrimLeft(line, " "); text != "" && (least < 0 || len(line)-len(text) < least) {
			least = len(line) - len(text)
		}
	}
	out := make([]string, 0, len(lines))
	for _, line := range lines {
		out = append(out, strings.TrimRight(line[min(max(least, 0), len(line)):], " \t"))
	}
	return out
}

func printAuditDecision(w io.Writer, d *auditDecision) {
	decision := "no rule matches: nothing is logged"
	if d.Rule > 0 {
		decision = "rule " + d.where() + ": " + d.Level
	}
	printRows(w, "",
		row{"Request", requestText(&d.Request)},
		row{"By", byText(&d.Request)},
		row{"Decision", decision},
		row{"Logged", loggedText(d)},
	)
	if len(d.Text) > 0 {
		fmt.Fprintln(w)
		for _, line := range d.Text {
			fmt.Fprintf(w, "  %s\n", printable(line))
		}
	}
	printEarlier(w, d.Earlier)
	if len(d.Notes) > 0 {
		fmt.Fprintln(w)
	}
	for _, note := range d.Notes {
		fmt.Fprintf(w, "note: %s\n", printable(note))
	}
}

// where names a rule, with its line if it is known.
func (r auditRule) where() string {
	if r.Line == 0 {
		return fmt.Sprint(r.Rule)
	}
	return fmt.Sprintf("%d (line %d)", r.Rule, r.Line)
}

func requestText(r *audit.Request) string {
	if !r.IsResource {
		return r.Verb + " " + r.Path
	}
	text := r.Verb + " " + r.What()
	if r.Name != "" {
		text += " " + r.Name
	}
	isNamespace := r.Group == "" && r.Resource == "namespaces"
	if r.Namespace != "" && !isNamespace {
		text += " in namespace " + r.Namespace
	}
	return text
}

func byText(r *audit.Request) string {
	groups := strings.Join(r.Groups, ", ")
	switch {
	case r.User == "" && groups == "":
		return "anyone: neither --user nor --group is given"
	case r.User == "":
		return "a member of " + groups
	}
	return r.User + " (" + groups + ")"
}

// loggedText says what is in the log of a request that goes through.
func loggedText(d *auditDecision) string {
	if len(d.Events) == 0 {
		return "nothing"
	}
	var stages []string
	request, response := false, false
	for _, e := range d.Events {
		stages = append(stages, string(e.Stage))
		request, response = request || e.RequestBody, response || e.ResponseBody
	}
	holds := "who, what, when and the result"
	switch {
	case request && response:
		holds += ", the bodies of request and response"
	case request:
		holds += ", the body of the request"
	case response:
		holds += ", the body of the response"
	}
	if d.OmitManagedFields && (request || response) {
		holds += " without managedFields"
	}
	return count(len(stages), "event") + " (" + strings.Join(stages, ", ") + "): " + holds
}

func printEarlier(w io.Writer, earlier []earlierRule) {
	if len(earlier) == 0 {
		return
	}
	fmt.Fprintln(w)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "RULE\tLINE\tLEVEL\tWHY IT DOES NOT DECIDE")
	for _, r := range earlier {
		line := "-"
		if r.Line > 0 {
			line = fmt.Sprint(r.Line)
		}
		head := fmt.Sprintf("%d\t%s\t%s", r.Rule, line, r.Level)
		if r.DecidesFor != "" {
			fmt.Fprintf(t, "%s\tit does for %s\n", head, printable(r.DecidesFor))
		}
		for _, reason := range r.Reasons {
			fmt.Fprintf(t, "%s\t%s: %s\n", head, reason.Field, printable(reason.Why))
			head = "\t\t"
		}
	}
	_ = t.Flush() // w is a buffer
}
