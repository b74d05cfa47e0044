package main

import (
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/pkictl/pkictl/apiserver/audit"
	"github.com/pkictl/pkictl/internal/failure"
)

type auditTable struct {
	typeMeta
	Policy    string             `json:"policy"`
	Namespace string             `json:"namespace,omitempty"`
	Name      string             `json:"name,omitempty"`
	Tables    []auditTableOfSome `json:"tables"`
	Warnings  []string           `json:"warnings,omitempty"`
}

type auditTableOfSome struct {
	Subjects []audit.Subject `json:"subjects"`
	Rows     []auditTableRow `json:"rows"`
}

type auditTableRow struct {
	Group       string           `json:"group,omitempty"`
	Resource    string           `json:"resource,omitempty"` // with the subresource
	Path        string           `json:"path,omitempty"`
	OtherCustom bool             `json:"otherCustom,omitempty"` // any custom resource that the policy does not name
	Cells       []auditTableCell `json:"cells"`
}

type auditTableCell struct {
	Verb string `json:"verb"`
	auditRule
	Exceptions []auditTableException `json:"exceptions,omitempty"`
}

type auditTableException struct {
	auditRule
	Namespace     string `json:"namespace,omitempty"`
	AllNamespaces bool   `json:"allNamespaces,omitempty"` // a request for all at once
	Name          string `json:"name,omitempty"`
}

// auditTable prints the decisions about many requests.
func (a *app) auditTable(policy *audit.Policy, f auditExplainFlags) error {
	o, err := f.tableOptions()
	if err != nil {
		return err
	}
	tables, warnings := policy.Tables(o)
	a.warn(warnings...)
	result := auditTable{typeMeta: kind("AuditTable"), Policy: policy.Name, Namespace: f.namespace, Name: f.name, Warnings: warnings}
	for _, t := range tables {
		result.Tables = append(result.Tables, tableOfSome(policy, t))
	}
	return a.print(result, func(w io.Writer) { printAuditTable(w, &result, o.Verbs) })
}

// tableOptions returns what the table is about.
func (f *auditExplainFlags) tableOptions() (audit.TableOptions, error) {
	if f.allNamespaces || f.subresource != "" && len(f.resources) != 1 {
		return audit.TableOptions{}, failure.New(failure.Usage, "leave it out", "--all-namespaces and --subresource are of a single request")
	}
	o := audit.TableOptions{Namespace: f.namespace, Name: f.name}
	for _, verb := range f.verbs {
		if _, _, err := (audit.Named{Verb: verb, Resource: "pods"}).Request(); err != nil {
			return o, err
		}
		o.Verbs = append(o.Verbs, strings.ToLower(verb))
	}
	for _, resource := range f.resources {
		n := audit.Named{Verb: "get", Resource: resource, Group: f.group, Subresource: f.subresource}
		if _, _, err := n.Request(); err != nil {
			return o, err
		}
		o.Resources = append(o.Resources, n)
	}
	if f.userGiven {
		groups := audit.GroupsOf(f.user, f.groups)
		who := audit.Subject{Who: "user " + f.user, User: f.user, Groups: groups}
		if f.user == "" {
			who.Who = "group " + strings.Join(f.groups, ", ")
		}
		o.Who = []audit.Subject{who}
	}
	return o, nil
}

func tableOfSome(policy *audit.Policy, t audit.Table) auditTableOfSome {
	some := auditTableOfSome{Subjects: t.Subjects}
	for _, r := range t.Rows {
		row := auditTableRow{Group: r.Request.Group, Resource: r.Request.Resource, Path: r.Request.Path}
		switch {
		case r.Request.Group == audit.OtherGroup:
			row = auditTableRow{OtherCustom: true}
		case r.Request.Subresource != "":
			row.Resource += "/" + r.Request.Subresource
		}
		for _, c := range r.Cells {
			cell := auditTableCell{Verb: c.Verb, auditRule: ruleOf(policy, c.Rule)}
			for _, e := range c.Exceptions {
				cell.Exceptions = append(cell.Exceptions, auditTableException{ruleOf(policy, e.Rule), e.Namespace, e.All, e.Name})
			}
			row.Cells = append(row.Cells, cell)
		}
		some.Rows = append(some.Rows, row)
	}
	return some
}

const tableLegend = `- not logged, M metadata, R also the body of the request, RR also that of the response;
behind it the rule, from 1. No entry: there is no such verb. *: see below the table.`

func printAuditTable(w io.Writer, result *auditTable, verbs []string) {
	fmt.Fprintln(w, tableLegend)
	for i, t := range result.Tables {
		var who []string
		for _, s := range t.Subjects {
			who = append(who, printable(s.Who))
		}
		rows, but := t.Rows, ""
		if i > 0 {
			rows, but = differing(t.Rows, result.Tables[0].Rows), ": as above, but"
		}
		// One in a line: names of service accounts are long.
		fmt.Fprintf(w, "\nFor %s%s\n", strings.Join(who, ",\n    "), but)
		printTableOfSome(w, rows, verbs)
		printExceptions(w, rows)
	}
}

// differing returns the rows that are not as those of another table of the same
// requests.
func differing(rows, others []auditTableRow) []auditTableRow {
	var differ []auditTableRow
	for i, r := range rows {
		if !reflect.DeepEqual(r, others[i]) {
			differ = append(differ, r)
		}
	}
	return differ
}

// shown names the row as kubectl does, with the group where another one has a
// resource of that name first, or none.
func (r *auditTableRow) shown() string {
	name, sub, hasSub := strings.Cut(r.Resource, "/")
	switch first := audit.FindResources(name); {
	case r.OtherCustom:
		return "any other custom resource"
	case r.Path != "":
		return r.Path
	case r.Group != "" && (len(first) == 0 || first[0].Group != r.Group):
		name += "." + r.Group
	}
	if hasSub {
		name += "/" + sub
	}
	return name
}

func printTableOfSome(w io.Writer, rows []auditTableRow, verbs []string) {
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprint(t, "RESOURCE")
	var columns []string
	for _, verb := range audit.Verbs() {
		if len(verbs) == 0 || slices.Contains(verbs, verb) {
			columns = append(columns, verb)
			fmt.Fprint(t, "\t"+strings.ToUpper(strings.ReplaceAll(verb, "deletecollection", "delcoll")))
		}
	}
	fmt.Fprintln(t)
	for _, r := range rows {
		fmt.Fprint(t, printable(r.shown()))
		for _, verb := range columns {
			fmt.Fprint(t, "\t"+cellOf(r, verb))
		}
		fmt.Fprintln(t)
	}
	_ = t.Flush() // into a buffer
	for line := range strings.Lines(b.String()) {
		fmt.Fprintln(w, strings.TrimRight(line, " \n"))
	}
}

func cellOf(r auditTableRow, verb string) string {
	i := slices.IndexFunc(r.Cells, func(c auditTableCell) bool { return c.Verb == verb })
	if i < 0 {
		return ""
	}
	c := r.Cells[i]
	text := map[string]string{"None": "-", "Metadata": "M", "Request": "R", "RequestResponse": "RR"}[c.Level]
	if c.Rule > 0 {
		text += fmt.Sprint(" ", c.Rule)
	}
	if slices.ContainsFunc(c.Exceptions, func(e auditTableException) bool { return e.Level != c.Level }) {
		text += "*"
	}
	return text
}

// printExceptions says about what else rules decide, the verbs for which they do
// so in one line.
func printExceptions(w io.Writer, rows []auditTableRow) {
	type line struct{ what, rest string }
	verbs := map[line][]string{}
	var lines []line
	for _, r := range rows {
		for _, c := range r.Cells {
			for _, e := range c.Exceptions {
				if e.Level == c.Level {
					continue
				}
				l := line{r.shown(), e.text()}
				if verbs[l] == nil {
					lines = append(lines, l)
				}
				verbs[l] = append(verbs[l], c.Verb)
			}
		}
	}
	for _, l := range lines {
		fmt.Fprintf(w, "* %s (%s) %s\n", printable(l.what), strings.Join(verbs[l], ", "), printable(l.rest))
	}
}

func (e *auditTableException) text() string {
	var parts []string
	if e.Name != "" {
		parts = append(parts, "of name "+e.Name)
	}
	switch {
	case e.AllNamespaces:
		parts = append(parts, "in all namespaces at once")
	case e.Namespace != "":
		parts = append(parts, "in namespace "+e.Namespace)
	}
	return fmt.Sprintf("%s: rule %d, %s", strings.Join(parts, " "), e.Rule, e.Level)
}
