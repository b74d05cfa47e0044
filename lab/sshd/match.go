package sshd

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/pkictl/pkictl/internal/failure"
)

// readCriteria reads what follows Match (match_cfg_line).
func readCriteria(text string) (c criteria, err error) {
	count := 0
	for text != "" {
		var attribute, pattern string
		if attribute, text, err = splitWord(text); err != nil {
			return c, err
		}
		if attribute == "" || attribute[0] == '#' {
			break
		}
		count++
		attribute = strings.ToLower(attribute)
		if pattern, text, err = splitWord(text); err != nil {
			return c, err
		}
		if attribute == "all" {
			if count > 1 || pattern != "" && pattern[0] != '#' {
				return c, failure.New(failure.Usage, "", "Match all goes with no other criterion")
			}
			return criteria{all: true}, nil
		}
		if pattern == "" || pattern[0] == '#' {
			return c, failure.New(failure.Usage, "", "Match %s has no pattern", attribute)
		}
		if err := checkCriterion(attribute, pattern); err != nil {
			return c, err
		}
		c.names = append(c.names, criterion{attribute, pattern})
	}
	if count == 0 {
		return c, failure.New(failure.Usage, "", "Match has no criterion")
	}
	return c, nil
}

func checkCriterion(attribute, pattern string) error {
	switch attribute {
	case "user", "group", "host", "address", "localaddress", "rdomain":
		return nil
	case "localport":
		if port, err := strconv.Atoi(pattern); err != nil || port < 1 || port > 65535 {
			return failure.New(failure.Usage, "", "%q is no port", pattern)
		}
		return nil
	}
	return failure.New(failure.Usage, "", "Match knows no criterion %s", attribute)
}

// meets says whether a connection meets all criteria. What is not known of it, and nil,
// meets Match all alone.
func (c criteria) meets(connection *Connection) bool {
	if c.all || connection == nil {
		return c.all
	}
	for _, n := range c.names {
		if !n.meets(connection) {
			return false
		}
	}
	return true
}

func (n criterion) meets(c *Connection) bool {
	switch n.attribute {
	case "user":
		return c.User != "" && inPatterns(c.User, n.pattern)
	case "group":
		return inGroups(c.Groups, n.pattern)
	case "host":
		return c.Host != "" && inPatterns(strings.ToLower(c.Host), strings.ToLower(n.pattern))
	case "address":
		return c.Address != "" && inAddresses(c.Address, n.pattern)
	case "localaddress":
		return c.LocalAddress != "" && inAddresses(c.LocalAddress, n.pattern)
	case "localport":
		return c.LocalPort != 0 && strconv.Itoa(c.LocalPort) == n.pattern
	}
	return false
}

// inPatterns is match_pattern_list: a pattern with ! before it takes all away.
func inPatterns(text, patterns string) bool {
	found := false
	for pattern := range strings.SplitSeq(patterns, ",") {
		negated := strings.HasPrefix(pattern, "!")
		if matchPattern(text, strings.TrimPrefix(pattern, "!")) {
			if negated {
				return false
			}
			found = true
		}
	}
	return found
}

func inGroups(groups []string, patterns string) bool {
	found := false
	for pattern := range strings.SplitSeq(patterns, ",") {
		negated := strings.HasPrefix(pattern, "!")
		if slices.ContainsFunc(groups, func(group string) bool { return matchPattern(group, strings.TrimPrefix(pattern, "!")) }) {
			if negated {
				return false
			}
			found = true
		}
	}
	return found
}

// inAddresses is addr_match_list: addresses, networks, and patterns of their text.
func inAddresses(address, patterns string) bool {
	is, err := netip.ParseAddr(address)
	found := false
	for pattern := range strings.SplitSeq(patterns, ",") {
		negated := strings.HasPrefix(pattern, "!")
		pattern = strings.TrimPrefix(pattern, "!")
		in := false
		if prefix, perr := netip.ParsePrefix(pattern); perr == nil && err == nil {
			in = prefix.Contains(is)
		} else if other, perr := netip.ParseAddr(pattern); perr == nil && err == nil {
			in = other == is
		} else {
			in = matchPattern(address, pattern)
		}
		if in && negated {
			return false
		}
		found = found || in
	}
	return found
}

// matchPattern is match_pattern: * and ? alone.
func matchPattern(text, pattern string) bool {
	star, from := -1, 0
	p, t := 0, 0
	for t < len(text) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, from = p, t
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == text[t]):
			p++
			t++
		case star >= 0:
			from++
			p, t = star+1, from
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}
