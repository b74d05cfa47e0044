package csr

import (
	"fmt"
	"strings"
)

// Lines name no more than so many resources and namespaces; the JSON has all.
const (
	shownResources  = 8
	shownNamespaces = 5
	shownGrants     = 12
)

// Lines say what somebody may do, dangers first. They name what comes from the
// cluster as it is: who prints them makes them printable.
func (a *Access) Lines() []string {
	var lines []string
	for _, d := range a.Dangers {
		lines = append(lines, "DANGER: "+d.String(), "        "+d.Why+" ("+d.Source+")")
	}
	return append(lines, a.Rights()...)
}

// Rights are the lines but for the dangers.
func (a *Access) Rights() []string {
	var lines []string
	for i, g := range a.May {
		if i == shownGrants {
			lines = append(lines, fmt.Sprintf("may     %d more such lines: -o json has all", len(a.May)-i))
			break
		}
		lines = append(lines, "may     "+g.String())
	}
	if len(a.May) == 0 {
		lines = append(lines, "may     nothing that was granted to them or a group of theirs"+a.askedOnly())
	}
	lines = append(lines, a.mayNot()...)
	if a.Common > 0 {
		lines = append(lines, fmt.Sprintf("and what everybody who is logged in may: see their own rights, and versions and kinds of the API (%d rules)", a.Common))
	}
	for _, note := range a.Notes {
		lines = append(lines, "note: "+note)
	}
	return lines
}

// Short says it in a few words.
func (a *Access) Short() string {
	switch {
	case len(a.Dangers) > 0:
		var dangers []string
		for _, d := range a.Dangers {
			dangers = append(dangers, d.String())
		}
		return "DANGER: " + some(dangers, 2)
	case len(a.May) == 0:
		return "allows nothing yet"
	}
	return "may " + a.May[0].String()
}

// mayNot says what they may not do: at all, and elsewhere than in some
// namespaces.
func (a *Access) mayNot() []string {
	var places []string
	what := map[string][]string{}
	for _, r := range a.MayNot {
		place := ""
		if r.Except != nil {
			place = "elsewhere than in " + some(r.Except, shownNamespaces) + ": "
		}
		if what[place] == nil {
			places = append(places, place)
		}
		what[place] = append(what[place], r.What)
	}
	var lines []string
	for _, place := range places {
		lines = append(lines, "may not "+place+strings.Join(what[place], ", ")+a.askedOnly())
	}
	return lines
}

// askedOnly says where it was asked, if that is not all there is.
func (a *Access) askedOnly() string {
	switch {
	case !a.OnlyAsked && !a.Incomplete:
		return ""
	case len(a.Namespaces) == 0:
		return " (asked for the whole cluster only)"
	}
	return " (asked for the whole cluster and in " + some(a.Namespaces, shownNamespaces) + " only)"
}

// String names a danger and where it is: "read secrets in dev".
func (d Danger) String() string {
	text := d.May
	if d.Names != nil {
		text += " (of the name " + some(d.Names, shownResources) + ")"
	}
	return text + " " + where(d.Namespaces)
}

// String says what is granted and where: "read pods in dev".
func (g Grant) String() string {
	what := some(g.Resources, shownResources)
	switch {
	case g.URLs != nil:
		what = "the paths " + some(g.URLs, shownResources)
	case len(g.Resources) == 1 && g.Resources[0] == "*":
		what = "all"
	}
	if g.Names != nil {
		what += " (of the name " + some(g.Names, shownResources) + ")"
	}
	if g.URLs != nil {
		return g.Verb() + " " + what
	}
	return g.Verb() + " " + what + " " + where(g.Namespaces)
}

func where(namespaces []string) string {
	if len(namespaces) == 0 {
		return "in the whole cluster"
	}
	return "in " + some(namespaces, shownNamespaces)
}

// some lists a few of many, and says how many there are.
func some(list []string, limit int) string {
	if len(list) <= limit+1 { // "and 1 more" is no shorter
		return strings.Join(list, ", ")
	}
	return strings.Join(list[:limit], ", ") + fmt.Sprintf(" and %d more", len(list)-limit)
}
