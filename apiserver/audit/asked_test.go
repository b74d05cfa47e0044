package audit

import (
	"slices"
	"strings"
	"testing"
)

// TestAsked: a rule in its parts comes out in words or keys, and nothing in a name
// makes another rule of it.
func TestAsked(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		asked Asked
		flag  string
		text  string
	}{
		{Asked{Verbs: []string{"delete"}, Resources: []string{"pods"}, Namespaces: []string{"prod"}, Level: "Request"}, "log", "delete pods in prod at Request"},
		{Asked{Level: "Metadata"}, "log", "everything at Metadata"},
		{Asked{Verbs: []string{"reads"}, Groups: []string{"a", "b"}}, "ignore", "reads any by group a,b"},
		{Asked{Resources: []string{"/healthz"}, Level: "None"}, "ignore", "/healthz"},
		{Asked{Users: []string{"Jane Doe"}, Verbs: []string{"delete"}, Resources: []string{"pods"}, Level: "Request"}, "rule", "level=Request;verbs=delete,deletecollection;resources=pods;users=Jane Doe"},
		{Asked{Users: []string{"group"}, Level: "Metadata"}, "rule", "level=Metadata;resources=everything;users=group"},
		{Asked{Users: []string{"eve by group x"}, Level: "Metadata"}, "rule", "level=Metadata;resources=everything;users=eve by group x"},
		{Asked{Users: []string{"at"}, Level: "Metadata"}, "log", "everything by at at Metadata"},
	} {
		var o Options
		if err := tt.asked.AddTo(&o); err != nil {
			t.Errorf("%+v: %v", tt.asked, err)
			continue
		}
		got := map[string][]string{"log": o.Log, "ignore": o.Ignore, "rule": o.Rules}[tt.flag]
		if !slices.Equal(got, []string{tt.text}) || len(o.Log)+len(o.Ignore)+len(o.Rules) != 1 {
			t.Errorf("%+v: %+v, want --%s %q", tt.asked, o, tt.flag, tt.text)
		}
		if err := o.Check(); err != nil {
			t.Errorf("%q: %v", tt.text, err)
		}
	}
	for _, name := range []string{"a b;level=None", "a,b", "x y;groups=system:masters", " ", "a\n;b", "groups=x y"} {
		var o Options
		if err := (Asked{Users: []string{"x", name}, Level: "Metadata"}).AddTo(&o); err == nil && o.Check() == nil {
			t.Errorf("%q: %+v", name, o)
		}
	}
}

// TestAskedSays holds the rule that comes of parts against the parts.
func TestAskedSays(t *testing.T) {
	t.Parallel()
	words := []string{"a", "in", "by", "at", "group", "groups", "named", "x y", "users=b", "level=None", "any", "=", "a=b", "b;c", "'", `"`, "by group"}
	said := 0
	for _, one := range words {
		for _, two := range words {
			asked := Asked{Users: []string{one, two}, Groups: []string{two}, Level: "Metadata"}
			var o Options
			if asked.AddTo(&o) != nil {
				continue
			}
			rules, err := askedFor(o)
			if err != nil {
				continue
			}
			said++
			r := rules[0]
			if len(rules) != 1 || !slices.Equal(r.Users, asked.Users) || !slices.Equal(r.UserGroups, asked.Groups) || r.Level != "Metadata" || r.Resources != nil || r.Namespaces != nil {
				t.Errorf("%q, %q: %+v", one, two, r.PolicyRule)
			}
		}
	}
	if said < 100 {
		t.Errorf("only %d rules could be said", said)
	}
}

func TestResourceNames(t *testing.T) {
	t.Parallel()
	names := ResourceNames()
	for _, name := range []string{"pods", "pods/exec", "deployments", "secrets", "events.events.k8s.io"} {
		if !slices.Contains(names, name) {
			t.Errorf("%s is missing", name)
		}
	}
	for _, name := range names {
		if len(FindResources(name)) == 0 || strings.ContainsAny(name, " ,;") {
			t.Errorf("%q is no name of a resource", name)
		}
	}
}
