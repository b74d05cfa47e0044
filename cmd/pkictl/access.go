package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/pkictl/pkictl/csr"
)

// Lines of the summary name no more than so many resources and namespaces; the
// JSON has all.
const (
	shownResources  = 8
	shownNamespaces = 5
	shownGrants     = 12
)

// printAccess writes what somebody may do, dangers first.
func printAccess(w io.Writer, indent string, access *csr.Access) {
	for _, d := range access.Dangers {
		fmt.Fprintf(w, "%sDANGER: %s\n%s        %s (%s)\n", indent, danger(d), indent, printable(d.Why), d.Source)
	}
	for i, g := range access.May {
		if i == shownGrants {
			fmt.Fprintf(w, "%smay     %d more such lines: -o json has all\n", indent, len(access.May)-i)
			break
		}
		fmt.Fprintf(w, "%smay     %s\n", indent, grant(g))
	}
	if len(access.May) == 0 {
		fmt.Fprintf(w, "%smay     nothing that was granted to them or a group of theirs%s\n", indent, askedOnly(access))
	}
	printMayNot(w, indent, access)
	if access.Common > 0 {
		fmt.Fprintf(w, "%sand what everybody who is logged in may: see their own rights, and versions and kinds of the API (%d rules)\n", indent, access.Common)
	}
	for _, note := range access.Notes {
		fmt.Fprintf(w, "%snote: %s\n", indent, printable(note))
	}
}

// printMayNot writes what they may not do: at all, and elsewhere than in some
// namespaces.
func printMayNot(w io.Writer, indent string, access *csr.Access) {
	var places []string
	what := map[string][]string{}
	for _, r := range access.MayNot {
		place := ""
		if r.Except != nil {
			place = "elsewhere than in " + some(r.Except, shownNamespaces) + ": "
		}
		if what[place] == nil {
			places = append(places, place)
		}
		what[place] = append(what[place], r.What)
	}
	for _, place := range places {
		fmt.Fprintf(w, "%smay not %s%s%s\n", indent, place, strings.Join(what[place], ", "), askedOnly(access))
	}
}

// askedOnly says where it was asked, if that is not all there is.
func askedOnly(access *csr.Access) string {
	switch {
	case !access.OnlyAsked && !access.Incomplete:
		return ""
	case len(access.Namespaces) == 0:
		return " (asked for the whole cluster only)"
	}
	return " (asked for the whole cluster and in " + some(access.Namespaces, shownNamespaces) + " only)"
}

// danger names a danger and where it is: "read secrets in dev".
func danger(d csr.Danger) string {
	text := d.May
	if d.Names != nil {
		text += " (of the name " + some(d.Names, shownResources) + ")"
	}
	return printable(text) + " " + place(d.Namespaces)
}

func grant(g csr.Grant) string {
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
		return printable(g.Verb()) + " " + what
	}
	return printable(g.Verb()) + " " + what + " " + place(g.Namespaces)
}

func place(namespaces []string) string {
	if len(namespaces) == 0 {
		return "in the whole cluster"
	}
	return "in " + some(namespaces, shownNamespaces)
}

// some lists a few of many, and says how many there are.
func some(list []string, limit int) string {
	if len(list) <= limit+1 { // "and 1 more" is no shorter
		return printableAll(list)
	}
	return printableAll(list[:limit]) + fmt.Sprintf(" and %d more", len(list)-limit)
}
