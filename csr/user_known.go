package csr

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// warnKnown warns about what else is known under the user's name: who holds an
// older certificate gets what is bound to the name now.
func (a *adder) warnKnown(ctx context.Context) {
	people, warnings, err := ListUsers(ctx, a.c, ListUsersOptions{Name: a.o.Name, Dir: a.o.Dir, Now: a.o.Now})
	for _, text := range warnings {
		a.warn("whether the user is known from elsewhere: " + text)
	}
	if err != nil && ctx.Err() == nil {
		a.warn("whether the user is known already is not known: " + err.Error())
	}
	for i := range people {
		for _, text := range a.knownAs(&people[i]) {
			a.warn(text)
		}
	}
}

// knownAs says what a person of the user's name has that this run has not made.
func (a *adder) knownAs(p *Person) (known []string) {
	live := slices.DeleteFunc(slices.Clone(p.Credentials), func(c Credential) bool {
		return c.ID == a.result.Credential.ID || !c.NotAfter.After(a.o.Now)
	})
	see := "see: pkictl user list " + a.o.Name
	if len(live) > 0 {
		text := "there is another certificate of"
		if len(live) > 1 {
			text = fmt.Sprintf("there are %d other certificates of", len(live))
		}
		last := slices.MaxFunc(live, func(x, y Credential) int { return x.NotAfter.Compare(y.NotAfter) })
		known = append(known, fmt.Sprintf("%s user %q in force, until %s: who holds it may do the same as this one; %s",
			text, a.o.Name, last.NotAfter.UTC().Format(time.RFC3339), see))
	}
	var others []string
	for _, b := range p.Bindings {
		own := a.result.Binding
		if b.Group == "" && (own == nil || b.path() != own.path()) {
			others = append(others, b.String())
		}
	}
	if len(others) > 0 {
		known = append(known, fmt.Sprintf("user %q has other bindings, which add to this: %s; %s", a.o.Name, strings.Join(others, ", "), see))
	}
	return known
}

// warnKnown is that of adder for all that were added, with one look.
func (b *userBatch) warnKnown(ctx context.Context) {
	if b.o.Notify == nil || len(b.added) == 0 {
		return
	}
	people, warnings, err := ListUsers(ctx, b.c, ListUsersOptions{Dir: b.o.Dir, Now: b.o.Now})
	if err != nil {
		warnings = append(warnings, "whether users are known already is not known: "+err.Error())
	}
	for i := range people {
		if a := b.added[people[i].Name]; a != nil {
			warnings = append(warnings, a.knownAs(&people[i])...)
		}
	}
	for _, text := range warnings {
		b.o.Notify(text)
	}
}
