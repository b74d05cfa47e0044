package ufw

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/pkictl/pkictl/internal/failure"
)

// parse reads a rule: an action, and what it is for, in the short form (22/tcp) or in
// the long one (from 10.0.0.0/8 to any port 22 proto tcp).
func parse(words []string) (rule, error) {
	r := rule{match: match{protocol: "any", from: "any", to: "any", fromPorts: "any", toPorts: "any"}}
	if len(words) == 0 {
		return r, failure.New(failure.Usage, "", "there is no rule")
	}
	r.action = strings.ToLower(words[0])
	if !slices.Contains([]string{"allow", "deny", "reject", "limit"}, r.action) {
		return r, failure.New(failure.Usage, "", "ufw knows no command %s", words[0])
	}
	words = words[1:]
	if i := slices.Index(words, "comment"); i >= 0 {
		if i != len(words)-2 {
			return r, failure.New(failure.Usage, "", "comment takes one text, at the end")
		}
		words = words[:i]
	}
	if len(words) > 0 && (words[0] == "in" || words[0] == "out") {
		r.out = words[0] == "out"
		if words = words[1:]; len(words) > 1 && words[0] == "on" {
			r.device, words = words[1], words[2:]
		}
	}
	if len(words) > 0 && (words[0] == "log" || words[0] == "log-all") {
		words = words[1:]
	}
	switch {
	case len(words) == 0 && r.device == "":
		return r, failure.New(failure.Usage, "", "the rule does not say what it is for")
	case len(words) == 1 && r.device == "":
		return r, r.short(words[0])
	case len(words)%2 != 0:
		return r, failure.New(failure.Usage, "write it like 8080/tcp, or like: from any to any port 8080 proto tcp", "ufw has a wrong number of words there")
	}
	if err := r.long(words); err != nil {
		return r, err
	}
	return r, r.consistent()
}

// short reads PORT, PORT/PROTOCOL, or the name of a service.
func (r *rule) short(text string) error {
	port, protocol, there := strings.Cut(text, "/")
	if there {
		if err := r.setProtocol(protocol); err != nil {
			return err
		}
	}
	if err := r.setPorts(&r.toPorts, port, there); err != nil {
		return err
	}
	return r.consistent()
}

func (r *rule) setProtocol(text string) error {
	text = strings.ToLower(text)
	if !slices.Contains([]string{"any", "tcp", "udp"}, text) {
		return failure.New(failure.Usage, "", "%s is no protocol that a rule for a port can have", text)
	}
	r.protocol = text
	return nil
}

// long reads pairs of words.
func (r *rule) long(words []string) error {
	ports, clause := &r.toPorts, ""
	for i := 0; i < len(words); i += 2 {
		key, value := strings.ToLower(words[i]), words[i+1]
		var err error
		switch key {
		case "proto":
			err = r.setProtocol(value)
		case "from":
			ports, clause = &r.fromPorts, key
			r.from, err = network(value)
		case "to":
			ports, clause = &r.toPorts, key
			r.to, err = network(value)
		case "port":
			if clause == "" {
				return failure.New(failure.Usage, "write: to any port "+value, "port needs from or to before it")
			}
			err = r.setPorts(ports, value, true)
		default:
			return failure.New(failure.Usage, "write it like 8080/tcp, or like: from any to any port 8080 proto tcp", "ufw does not know what %s is for there", words[i])
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// network returns any, or a network without its host part.
func network(text string) (string, error) {
	if strings.EqualFold(text, "any") || text == "0.0.0.0/0" || text == "::/0" {
		return "any", nil
	}
	prefix, err := netip.ParsePrefix(text)
	if err != nil {
		address, aerr := netip.ParseAddr(text)
		if aerr != nil {
			return "", failure.New(failure.Usage, "", "%s is no address", text)
		}
		prefix = netip.PrefixFrom(address, address.BitLen())
	}
	return prefix.Masked().String(), nil
}

// services are those of /etc/services that people name, with their protocols.
const services = " ssh/22/tcp http/80/tcp https/443/any smtp/25/tcp telnet/23/tcp ftp/21/tcp domain/53/any ntp/123/udp "

// setPorts reads ports: numbers, ranges like 1000:2000, several with commas, or the
// name of a service.
func (r *rule) setPorts(to *string, text string, plain bool) error {
	if _, rest, ok := strings.Cut(services, " "+strings.ToLower(text)+"/"); ok && text != "" {
		entry, _, _ := strings.Cut(rest, " ")
		port, protocol, _ := strings.Cut(entry, "/")
		if r.protocol == "any" && protocol != "any" {
			r.protocol = protocol
		}
		*to = port
		return nil
	}
	if text == "OpenSSH" && !plain {
		*to, r.protocol = "22", "tcp"
		return nil
	}
	var parts []string
	for part := range strings.SplitSeq(text, ",") {
		low, high, isRange := strings.Cut(part, ":")
		first, err := strconv.ParseUint(low, 10, 16)
		last := first
		if isRange && err == nil {
			last, err = strconv.ParseUint(high, 10, 16)
		}
		if err != nil || isRange && first >= last || first == 0 || low[0] == '0' {
			return failure.New(failure.Usage, "", "%s is no port", text)
		}
		if !slices.Contains(parts, part) {
			parts = append(parts, part)
		}
	}
	if len(parts) > 15 {
		return failure.New(failure.Usage, "", "a rule takes 15 ports at most")
	}
	slices.SortStableFunc(parts, func(a, b string) int { return firstOf(a) - firstOf(b) })
	*to = strings.Join(parts, ",")
	return nil
}

func firstOf(part string) int {
	low, _, _ := strings.Cut(part, ":")
	n, _ := strconv.Atoi(low)
	return n
}

// consistent says what does not go together.
func (r *rule) consistent() error {
	if r.protocol == "any" && strings.ContainsAny(r.toPorts+r.fromPorts, ",:") {
		return failure.New(failure.Usage, "write it like 1000:2000/tcp", "ufw takes several ports with tcp or udp alone")
	}
	var is [2]bool
	for _, text := range [...]string{r.from, r.to} {
		if prefix, err := netip.ParsePrefix(text); err == nil && prefix.Addr().Is4() {
			is[v4] = true
		} else if err == nil {
			is[v6] = true
		}
	}
	if is[v4] && is[v6] {
		return failure.New(failure.Usage, "", "the rule has addresses of IPv4 and of IPv6")
	}
	return nil
}
