package ca

import (
	"crypto"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/shell"
)

// foreign is what options take from a certificate request beside names.
type foreign struct {
	request  *CertificateRequest
	key      crypto.PublicKey
	warnings []string
}

// TakeRequest fills the options from a certificate request, as far as the
// profile and Allow let it: the public key, and those of common name, groups and
// alternative names that the options do not have. What is asked for and may not
// be had is an error of kind Refused; what is merely left out is a warning of
// the result.
func (o *IssueOptions) TakeRequest(r *CertificateRequest) error {
	profile, err := o.Profiles.Get(o.Profile)
	if err != nil {
		return err
	}
	t := taking{CertificateRequest: r, profile: profile, allow: slices.Concat(profile.requests.allow, o.Allow)}
	for _, name := range o.Allow {
		if err := checkAllowance(name); err != nil {
			return err
		}
	}
	if o.Key != "" {
		return failure.New(failure.Usage, "leave --key out; the key is that of the request", "a kind of key and a certificate request exclude each other")
	}
	for _, step := range []func(*IssueOptions) error{t.checkProblems, t.checkUsages, t.takeSubject, t.takeNames, t.checkCount} {
		if err := step(o); err != nil {
			return err
		}
	}
	if len(r.ignored) > 0 {
		t.warn("of request %q this is not taken: %s", r.name, strings.Join(r.ignored, "; "))
	}
	o.foreign = &foreign{request: r, key: r.request.PublicKey, warnings: t.warnings}
	return nil
}

// taking is a request on its way into options.
type taking struct {
	*CertificateRequest
	profile  Profile
	allow    []string
	warnings []string
}

func (t *taking) warn(format string, args ...any) {
	t.warnings = append(t.warnings, fmt.Sprintf(format, args...))
}

func (t *taking) refuse(hint, format string, args ...any) error {
	return failure.New(failure.Refused, hint, "certificate request %q: %s", t.name, fmt.Sprintf(format, args...))
}

// refuseUnless refuses what is not allowed by name.
func (t *taking) refuseUnless(allow, hint, what string) error {
	if slices.Contains(t.allow, allow) {
		t.warn("request %q: %s (allowed: %s)", t.name, what, allow)
		return nil
	}
	return t.refuse(hint, "%s", what)
}

func (t *taking) checkProblems(*IssueOptions) error {
	for _, p := range t.problems {
		if p.allow == "" {
			return t.refuse(p.hint, "%s", p.what)
		}
	}
	for _, p := range t.problems {
		if err := t.refuseUnless(p.allow, p.hint, p.what); err != nil {
			return err
		}
	}
	return nil
}

// checkUsages refuses extended usages that the profile does not give: the
// certificate would not do what it was asked for.
func (t *taking) checkUsages(*IssueOptions) error {
	given := t.profile.usageWords()
	for _, usage := range t.info.ExtendedKeyUsages {
		if !slices.Contains(given, usage) {
			return t.refuse("choose the --profile that has it, or ask its owner for a new request",
				"it asks for the usage %q, which %s does not give", usage, t.profile)
		}
	}
	for _, usage := range t.info.KeyUsages {
		if !slices.Contains(given, usage) {
			t.warn("request %q asks for the usage %s; %s does not give it", t.name, usage, t.profile)
		}
	}
	return nil
}

// takeSubject takes common name and groups, unless the options have their own.
func (t *taking) takeSubject(o *IssueOptions) error {
	rules := t.profile.requests
	if !rules.subject && (o.CommonName == "" || (o.Groups == nil && len(t.groups) > 0)) {
		return t.refuse("say who it is for with --cn and --group", "%s takes no subject from requests", t.profile)
	}
	if o.CommonName == "" {
		switch len(t.commonNames) {
		case 0:
			return t.refuse("give it one with --cn, or ask its owner for a new request", "it has no common name")
		case 1:
		default:
			return t.refuse("choose one with --cn", "it has %d common names", len(t.commonNames))
		}
		o.CommonName = t.commonNames[0]
		if err := t.check(checkName("common name", o.CommonName)); err != nil {
			return err
		}
		if isReserved(o.CommonName) && t.profile.limits.commonNames == nil {
			if err := t.refuseReserved(AllowName, "common name", "--cn", o.CommonName); err != nil {
				return err
			}
		}
	}
	if o.Groups != nil || len(t.groups) == 0 {
		return nil
	}
	if err := t.check(checkGroups(t.groups)); err != nil {
		return err
	}
	o.Groups = t.groups
	return t.checkReservedGroups()
}

// checkReservedGroups refuses groups that make an administrator, a node or a
// part of Kubernetes. Where a profile limits groups it decides, but for the one
// that no authorizer can limit.
func (t *taking) checkReservedGroups() error {
	for _, group := range t.groups {
		var err error
		switch {
		case group == GroupMasters:
			err = t.refuseUnless(AllowMasters, "name its groups with --group, or allow it with --allow "+AllowMasters,
				"it asks for the group "+GroupMasters+", which passes every authorizer")
		case isReserved(group) && t.profile.limits.groups == nil:
			err = t.refuseReserved(AllowGroup, "group", "--group", group)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// refuseReserved refuses a name with which a request would make itself more than
// a user, unless somebody else says that it is meant.
func (t *taking) refuseReserved(allow, what, flag, name string) error {
	return t.refuseUnless(allow+name, fmt.Sprintf("say who it is for with %s, or allow it with --allow %s", flag, shell.Quote(allow+name)),
		fmt.Sprintf("it asks for the %s %q, which is for parts and administrators of a cluster", what, name))
}

// check makes of an error about a value that a user wrote one about a value in
// the request.
func (t *taking) check(err error) error {
	if err == nil {
		return nil
	}
	return failure.Wrap(err, failure.Refused, newRequestHint+", or give the value with a flag", "certificate request %q", t.name)
}

// takeNames takes alternative names of those kinds for which the options have
// none of their own.
func (t *taking) takeNames(o *IssueOptions) error {
	r, rules := t.request, t.profile.requests
	kinds := []struct {
		to      *[]string
		names   []string
		allowed bool
		flag    string
	}{
		{&o.DNS, r.DNSNames, rules.dns, "--dns"},
		{&o.IPs, texts(r.IPAddresses, net.IP.String), rules.ips, "--ip"},
		{&o.URIs, texts(r.URIs, (*url.URL).String), rules.uris, "--uri"},
		{&o.Emails, r.EmailAddresses, rules.emails, "--email"},
	}
	for _, kind := range kinds {
		if *kind.to != nil || len(kind.names) == 0 {
			continue
		}
		if !kind.allowed {
			err := t.refuseUnless(AllowNames, fmt.Sprintf("choose a profile for servers, give names with %s, or allow them with --allow %s", kind.flag, AllowNames),
				fmt.Sprintf("%s takes no such alternative names from requests as %q", t.profile, kind.names[0]))
			if err != nil {
				return err
			}
		}
		*kind.to = kind.names
	}
	_, err := ParseSANs(o.DNS, o.IPs, o.URIs, o.Emails)
	return t.check(err)
}

func texts[T any](values []T, text func(T) string) []string {
	list := make([]string, len(values))
	for i, value := range values {
		list[i] = text(value)
	}
	return list
}

// checkCount refuses what makes certificates that servers choke on. A profile
// may have a limit of its own, which holds for every certificate.
func (t *taking) checkCount(o *IssueOptions) error {
	names := len(o.DNS) + len(o.IPs) + len(o.URIs) + len(o.Emails)
	if t.profile.limits.maxNames > 0 {
		names = 0
	}
	if most := max(names, len(o.Groups)); most > maxRequestNames {
		return t.refuseUnless(AllowManyNames, "allow it with --allow "+AllowManyNames,
			fmt.Sprintf("it asks for %d names or groups, more than %d", most, maxRequestNames))
	}
	return nil
}

// checkKeyFile sees to it that no key is left beside a certificate that is not
// its own: a key where the options would have put one must be the request's. One
// that cannot be read without a secret is taken at its name, with a warning.
func (o IssueOptions) checkKeyFile() (warnings []string, err error) {
	path := o.Prefix() + ".key"
	key, err := KeyBeside(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	case key.hidden() != "":
		return []string{fmt.Sprintf("key %q %s, so that nothing says whether it is the key of certificate request %q", path, key.hidden(), o.foreign.request.name)}, nil
	case !EqualKeys(key.Public, o.foreign.key):
		return nil, failure.New(failure.Refused, "choose another name with --out, or move the key away",
			"%q is not the key of certificate request %q", path, o.foreign.request.name)
	}
	return nil, nil
}

// checkForeignKey refuses to certify a key of the CA itself: what the one may
// sign, the other could have signed.
func (c *CA) checkForeignKey(pub crypto.PublicKey) error {
	if pub == nil {
		return nil
	}
	for _, own := range c.Bundle() {
		if EqualKeys(pub, own.PublicKey) {
			return failure.New(failure.Refused, "make a key of its own for it", "the key is that of the CA %s itself", FormatName(own.RawSubject))
		}
	}
	return nil
}
