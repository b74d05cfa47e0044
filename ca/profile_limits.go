package ca

import (
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/pkictl/pkictl/internal/failure"
)

// limits are what a profile lets a certificate say. A nil list does not limit,
// an empty one allows nothing.
type limits struct {
	commonNames []pattern
	groups      []pattern
	dns         []pattern
	ips         []netip.Prefix
	uris        []pattern
	emails      []pattern
	keys        []string
	maxValidity time.Duration // from now on; 0: none
	maxNames    int           // of alternative names; 0: none
	// whitelist is cfssl's name_whitelist: every name but IP addresses and
	// organizations has to match, anywhere unless it is anchored.
	whitelist *regexp.Regexp
}

// pattern is a name that a profile allows, or many: * stands for any
// characters, and from ^ to $ it is a regular expression of Go.
type pattern struct {
	text string
	expr *regexp.Regexp
}

// newPattern reads a pattern. Its stars do not stand for any of the stops: that
// of a URI must not run from a host into a path, as https://*.example.com does
// not mean https://evil.test/.example.com.
func newPattern(text, stops string) (pattern, error) {
	if strings.HasPrefix(text, "^") && strings.HasSuffix(text, "$") {
		expr, err := regexp.Compile("^(?:" + text[1:len(text)-1] + ")$")
		return pattern{text, expr}, err
	}
	anything := ".*"
	if stops != "" {
		anything = "[^" + regexp.QuoteMeta(stops) + "]*"
	}
	expr := strings.ReplaceAll(regexp.QuoteMeta(text), `\*`, anything)
	return pattern{text, regexp.MustCompile("^(?s:" + expr + ")$")}, nil
}

func matchesAny(patterns []pattern, text string) bool {
	return patterns == nil || slices.ContainsFunc(patterns, func(p pattern) bool { return p.expr.MatchString(text) })
}

func patternTexts(patterns []pattern) []string {
	texts := make([]string, len(patterns))
	for i, p := range patterns {
		texts[i] = p.text
	}
	return texts
}

// checkLimits refuses what the profile of the request does not allow. It is
// asked for every certificate, whoever made its key.
func (r Request) checkLimits(now, notAfter time.Time) error {
	l := r.Profile.limits
	if !allowedName(l.commonNames, r.CommonName) {
		return r.refuse("common name", r.CommonName, "common names", patternTexts(l.commonNames))
	}
	for _, group := range r.Groups {
		if !allowedGroup(l.groups, group) {
			return r.refuse("group", group, "groups", patternTexts(l.groups))
		}
	}
	if err := r.checkNameLimits(); err != nil {
		return err
	}
	if key := r.keyName(); l.keys != nil && !slices.Contains(l.keys, key) {
		return r.refuse("key kind", key, "key kinds", l.keys)
	}
	if validity := notAfter.Sub(now); l.maxValidity > 0 && validity > l.maxValidity {
		return failure.New(failure.Refused, "ask for at most "+FormatValidity(l.maxValidity),
			"%s does not allow a validity of %s", r.Profile, FormatValidity(validity))
	}
	return nil
}

func (r Request) keyName() string {
	if r.PublicKey != nil {
		return KeyName(r.PublicKey)
	}
	return string(r.Key)
}

func (r Request) checkNameLimits() error {
	l := r.Profile.limits
	if names := len(r.SANs.Strings()); l.maxNames > 0 && names > l.maxNames {
		return failure.New(failure.Refused, fmt.Sprintf("ask for at most %d", l.maxNames),
			"%s does not allow %d alternative names", r.Profile, names)
	}
	for _, name := range r.SANs.DNS {
		if !matchesAny(l.dns, strings.ToLower(name)) {
			return r.refuse("DNS name", name, "DNS names", patternTexts(l.dns))
		}
	}
	for _, ip := range r.SANs.IPs {
		if l.ips != nil && !slices.ContainsFunc(l.ips, func(p netip.Prefix) bool { return contains(p, ip) }) {
			return r.refuse("IP address", ip.String(), "IP ranges", prefixNames(l.ips))
		}
	}
	for _, uri := range r.SANs.URIs {
		if !matchesAny(l.uris, uri.String()) {
			return r.refuse("URI", uri.String(), "URIs", patternTexts(l.uris))
		}
	}
	for _, email := range r.SANs.Emails {
		if !matchesAny(l.emails, email) {
			return r.refuse("e-mail address", email, "e-mail addresses", patternTexts(l.emails))
		}
	}
	return r.checkWhitelist()
}

// checkWhitelist does what cfssl does with its name_whitelist.
func (r Request) checkWhitelist() error {
	rule := r.Profile.limits.whitelist
	if rule == nil {
		return nil
	}
	names := append([]string{r.CommonName}, r.SANs.DNS...)
	names = append(names, r.SANs.Emails...)
	for _, uri := range r.SANs.URIs {
		names = append(names, uri.String())
	}
	for _, name := range names {
		if !rule.MatchString(name) {
			return failure.New(failure.Refused, "its name_whitelist is "+rule.String(), "%s does not allow the name %q", r.Profile, name)
		}
	}
	return nil
}

func (r Request) refuse(what, value, plural string, allowed []string) error {
	hint := "it allows no " + plural
	if len(allowed) > 0 {
		hint = fmt.Sprintf("%s it allows: %s", plural, strings.Join(allowed, ", "))
	}
	return failure.New(failure.Refused, hint, "%s does not allow the %s %q", r.Profile, what, value)
}

// reserved is how names begin that Kubernetes, and kubeadm, keep for themselves.
var reserved = []string{"system:", "kubeadm:"}

func isReserved(name string) bool {
	return slices.ContainsFunc(reserved, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
}

// allowedName says whether a user's name is among those allowed. What
// Kubernetes keeps for itself is not what people mean by a mere *.
func allowedName(allowed []pattern, name string) bool {
	return allowed == nil || slices.ContainsFunc(allowed, func(p pattern) bool {
		return p.expr.MatchString(name) && (!isReserved(name) || isReserved(strings.TrimPrefix(p.text, "^")))
	})
}

// allowedGroup says whether a group is among those allowed. Those that make an
// administrator or a node have to be named in full.
func allowedGroup(allowed []pattern, group string) bool {
	if allowed != nil && (group == GroupMasters || group == groupNodes) {
		return slices.Contains(patternTexts(allowed), group)
	}
	return allowedName(allowed, group)
}

// contains says whether a range holds an address, as IPv4 or IPv6.
func contains(p netip.Prefix, ip net.IP) bool {
	addr, ok := netip.AddrFromSlice(ip)
	return ok && p.Contains(addr.Unmap())
}

func prefixNames(prefixes []netip.Prefix) []string {
	names := make([]string, len(prefixes))
	for i, p := range prefixes {
		names[i] = p.String()
	}
	return names
}
