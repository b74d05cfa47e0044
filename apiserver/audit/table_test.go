package audit

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	internal "k8s.io/apiserver/pkg/apis/audit"
)

// TestTableExceptions: what a table does not list as an exception is decided as
// its cell says, and what it lists is not.
func TestTableExceptions(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(6, 4))
	seen := 0
	for range 500 {
		p := &Policy{}
		for range 1 + random.IntN(4) {
			rule := randomRule(random)
			rule.NonResourceURLs = nil
			p.Rules = append(p.Rules, rule)
		}
		o := TableOptions{Resources: []Named{{Resource: "pods"}, {Resource: "pods/exec"}, {Resource: "deployments"}, {Resource: "namespaces"}, {Resource: "nodes"}}}
		tables, warnings := p.Tables(o)
		if warnings != nil {
			t.Fatal(warnings)
		}
		for _, table := range tables {
			for _, row := range table.Rows {
				for _, cell := range row.Cells {
					for _, s := range table.Subjects {
						seen += checkCell(t, p, s, row.Request, cell)
					}
				}
			}
		}
		if t.Failed() {
			t.Fatalf("%+v", p.Rules)
		}
	}
	if seen < 300 {
		t.Errorf("%d exceptions only: the words are badly chosen", seen)
	}
}

// checkCell decides about a request in all namespaces and of all names.
func checkCell(t *testing.T, p *Policy, s Subject, r Request, cell Cell) (exceptions int) {
	t.Helper()
	r.Verb, r.User, r.Groups = cell.Verb, s.User, s.Groups
	known, _ := findResource(r.Group, strings.TrimSuffix(r.Resource+"/"+r.Subresource, "/"))
	namespaces, names := []string{""}, []string{""}
	if known.Namespaced {
		if namespaces = []string{otherNamespace, "a", "b", "*"}; !r.canHaveName() && r.Verb != "create" {
			namespaces = append(namespaces, "")
		}
	}
	if r.canHaveName() {
		names = []string{otherName, "web", "a", "b", "*"}
	}
	evaluator := p.Evaluator()
	for _, namespace := range namespaces {
		for _, name := range names {
			r.Namespace, r.Name = namespace, name
			if r.Resource == "namespaces" {
				r.Namespace = name
			}
			isException := slices.ContainsFunc(cell.Exceptions, func(e Exception) bool {
				return (e.Namespace == "" && !e.All || e.Namespace == namespace) && (e.Name == "" || e.Name == name)
			})
			d := evaluator.Decide(&r)
			listed := slices.ContainsFunc(cell.Exceptions, func(e Exception) bool {
				return e.Rule == d.Rule && (e.Namespace == "" && !e.All || e.Namespace == namespace) && (e.Name == "" || e.Name == name)
			})
			switch {
			case d.Rule != cell.Rule && !listed:
				t.Errorf("%s of %s: rule %d, but the table has %+v", shown(r), s.Who, d.Rule, cell)
			case d.Rule == cell.Rule && isException:
				t.Errorf("%s of %s: rule %d, and an exception: %+v", shown(r), s.Who, d.Rule, cell)
			}
		}
	}
	return len(cell.Exceptions)
}

func TestTables(t *testing.T) {
	t.Parallel()
	p, err := Parse("p.yaml", []byte(head+`rules:
- level: None
  users: [joe, jill]
  resources: [{group: events.k8s.io, resources: ["*"]}]
- level: None
  userGroups: [system:authenticated]
  nonResourceURLs: ["/livez*", "*"]
- level: Request
  userGroups: [ops]
  namespaces: [prod]
  verbs: [list, get]
  resources: [{group: "", resources: ["limitranges", "services/*", "*/scale"]}, {group: widgets.io, resources: [widgets/status]}]
`))
	if err != nil {
		t.Fatal(err)
	}
	tables, _ := p.Tables(TableOptions{})
	var who []string
	for _, table := range tables {
		var subjects []string
		for _, s := range table.Subjects {
			subjects = append(subjects, s.Who)
		}
		who = append(who, strings.Join(subjects, " and "))
	}
	if want := []string{"anyone else and user joe and user jill", "user system:anonymous", "group ops"}; !slices.Equal(who, want) {
		t.Errorf("tables for %q, want %q", who, want)
	}
	var rows []string
	for _, row := range tables[0].Rows {
		rows = append(rows, row.Request.What()+row.Request.Path)
		known, isKnown := findResource(row.Request.Group, strings.TrimSuffix(row.Request.Resource+"/"+row.Request.Subresource, "/"))
		var verbs []string
		for _, cell := range row.Cells {
			verbs = append(verbs, cell.Verb)
		}
		if slices.Sort(verbs); isKnown && !slices.Equal(verbs, known.Verbs) {
			t.Errorf("%s has %q, want %q", row.Request.What(), verbs, known.Verbs)
		}
	}
	for _, want := range []string{"pods", "pods/exec", "limitranges", "services", "services/proxy", "services/status", "replicationcontrollers/scale", "widgets.widgets.io/status", "deployments.apps", "(any).(custom)", "/api", "/livez"} {
		if n := len(rows) - len(slices.DeleteFunc(slices.Clone(rows), func(row string) bool { return row == want })); n != 1 {
			t.Errorf("%d rows for %s in %q", n, want, rows)
		}
	}
	if i := slices.Index(rows, "services"); rows[i+1] != "services/proxy" || rows[i+2] != "services/status" {
		t.Errorf("behind services come %q", rows[i+1:i+3])
	}
	some, warnings := p.Tables(TableOptions{
		Who: []Subject{{"group ops", "", []string{"ops"}}}, Verbs: []string{"list"}, Namespace: "prod",
		Resources: []Named{{Resource: "limits"}, {Resource: "foo"}},
	})
	cell := some[0].Rows[0].Cells[0]
	if len(some) != 1 || len(some[0].Rows) != 2 || cell.Rule != 2 || cell.Level != internal.LevelRequest || cell.Exceptions != nil || len(warnings) != 1 {
		t.Errorf("%+v, %q", some, warnings)
	}
	if got := fmt.Sprintf("%+v", tables[2].Rows[slices.Index(rows, "limitranges")].Cells[1]); got != "{Verb:list Rule:-1 Level:None Exceptions:[{Rule:2 Level:Request Namespace:prod All:false Name:}]}" {
		t.Error(got)
	}
}
