// Package ufw reads commands of ufw, the front end of a firewall, and says what they
// would do with a packet. It runs nothing: it follows ufw 0.36 (src/parser.py,
// src/backend_iptables.py) in which commands there are, and in the order of rules.
package ufw

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/pkictl/pkictl/internal/failure"
)

// Firewall is what commands have made.
type Firewall struct {
	Enabled            bool
	Incoming, Outgoing string // allow, deny or reject: what no rule speaks of
	rules              [2][]rule
}

// The lists of rules.
const (
	v4 = iota
	v6
)

// rule allows, denies, rejects or limits. Two that differ in the action alone are one.
type rule struct {
	action string
	match
}

type match struct {
	out                bool
	device             string // such as eth0
	protocol           string // any, tcp, udp
	from, to           string // any, or a network
	fromPorts, toPorts string // any, or like 22 and 80,443,1000:2000
}

// New returns a firewall as the package installs it: off, and with these defaults.
func New() *Firewall { return &Firewall{Incoming: "deny", Outgoing: "allow"} }

// Limits on what strangers write.
const maxRules = 1000

// Read reads commands, one in a line, each as a shell has it, with or without sudo.
// Empty lines, comments and the lines that scripts begin with (#!, set -e) are none.
// The error names the line, and says what ufw would not take.
func Read(data []byte) (*Firewall, error) {
	f := New()
	for i, line := range strings.Split(string(data), "\n") {
		words, err := split(strings.TrimRight(confirmed(line), "\r"))
		if err == nil && len(words) > 0 && words[0] != "set" {
			err = f.run(words)
		}
		if err != nil {
			return nil, failure.Wrap(err, failure.Usage, "", "line %d", i+1)
		}
	}
	return f, nil
}

// confirmed leaves out what says yes to the question of enable, delete and reset.
func confirmed(line string) string {
	for _, yes := range [...]string{"yes | ", "yes|", "echo y | ", `echo "y" | `} {
		if rest, ok := strings.CutPrefix(strings.TrimLeft(line, " \t"), yes); ok {
			return rest
		}
	}
	return line
}

// split splits a line into words. What a shell would do beside that is refused: it is
// not known what would come of it.
func split(line string) ([]string, error) {
	var words []string
	for i := 0; i < len(line); {
		switch line[i] {
		case ' ', '\t':
			i++
			continue
		case '#':
			return words, nil
		}
		var word strings.Builder
		for i < len(line) && line[i] != ' ' && line[i] != '\t' {
			if c := line[i]; c == '"' || c == '\'' {
				end := strings.IndexByte(line[i+1:], c)
				if end < 0 {
					return nil, failure.New(failure.Usage, "", "a quote has no end")
				}
				word.WriteString(line[i+1 : i+1+end])
				i += end + 2
				continue
			}
			if strings.IndexByte("|&;<>()$`\\*?[]{}~!", line[i]) >= 0 {
				return nil, failure.New(failure.Usage, "", "%q is for a shell: write one command of ufw in a line", line[i])
			}
			word.WriteByte(line[i])
			i++
		}
		words = append(words, word.String())
	}
	return words, nil
}

func (f *Firewall) run(words []string) error {
	if words[0] == "sudo" {
		words = words[1:]
	}
	if len(words) == 0 || words[0] != "ufw" && words[0] != "/usr/sbin/ufw" {
		return failure.New(failure.Usage, "write one command of ufw in a line, and nothing else", "%q is no command of ufw", strings.Join(words, " "))
	}
	words = words[1:]
	force := len(words) > 0 && words[0] == "--force"
	if force {
		words = words[1:]
	}
	if len(words) == 0 {
		return failure.New(failure.Usage, "", "ufw needs a command")
	}
	if words[0] == "rule" && len(words) > 1 {
		words = words[1:]
	}
	if force && !slices.Contains([]string{"enable", "delete", "reset"}, words[0]) {
		return failure.New(failure.Usage, "", "--force is for enable, delete and reset")
	}
	switch command := strings.ToLower(words[0]); command {
	case "enable", "disable":
		f.Enabled = command == "enable"
		return alone(words)
	case "reload", "version":
		return alone(words)
	case "reset":
		*f = *New()
		return alone(words)
	case "status", "show", "logging", "app":
		return nil
	case "default":
		return f.setDefault(words[1:])
	case "delete":
		return f.remove(words[1:])
	case "insert":
		return f.insert(words[1:])
	case "prepend":
		return f.add(words[1:], func([]rule) int { return 0 })
	case "route":
		return failure.New(failure.Usage, "", "route is for packets that pass through; the tasks are about those for this machine")
	}
	return f.add(words, func(old []rule) int { return len(old) })
}

func alone(words []string) error {
	if len(words) > 1 {
		return failure.New(failure.Usage, "", "ufw %s takes nothing more", words[0])
	}
	return nil
}

func (f *Firewall) setDefault(words []string) error {
	if len(words) == 0 || len(words) > 2 || !slices.Contains([]string{"allow", "deny", "reject"}, strings.ToLower(words[0])) {
		return failure.New(failure.Usage, "", "ufw default takes allow, deny or reject, and incoming or outgoing")
	}
	direction := "incoming"
	if len(words) == 2 {
		direction = strings.ToLower(words[1])
	}
	switch direction {
	case "incoming", "input":
		f.Incoming = strings.ToLower(words[0])
	case "outgoing", "output":
		f.Outgoing = strings.ToLower(words[0])
	case "routed", "forward":
	default:
		return failure.New(failure.Usage, "", "ufw default knows incoming, outgoing and routed, not %s", words[1])
	}
	return nil
}

// add puts a rule at a place of each of its lists. Where there is one that matches the
// same, that one takes the new action in its place; an insertion is skipped then.
func (f *Firewall) add(words []string, place func([]rule) int) error {
	r, err := parse(words)
	if err != nil {
		return err
	}
	for _, family := range r.families() {
		list := f.rules[family]
		at := place(list)
		same := slices.IndexFunc(list, func(old rule) bool { return old.match == r.match })
		switch {
		case same >= 0 && at == len(list):
			list[same] = r
		case same >= 0: // "Skipping inserting existing rule"
		case len(list) >= maxRules:
			return failure.New(failure.Usage, "", "there are more than %d rules", maxRules)
		default:
			f.rules[family] = slices.Insert(list, at, r)
		}
	}
	return nil
}

func (f *Firewall) insert(words []string) error {
	if len(words) < 2 {
		return failure.New(failure.Usage, "", "ufw insert takes a number and a rule")
	}
	n, err := strconv.Atoi(words[0])
	if err != nil || n < 1 || n > len(f.rules[v4])+len(f.rules[v6]) {
		return failure.New(failure.Usage, "", "there is no rule %s to insert before", words[0])
	}
	return f.add(words[1:], func(old []rule) int { return min(n-1, max(len(old)-1, 0)) })
}

// remove deletes by number, as ufw status numbered counts, or by the rule itself.
func (f *Firewall) remove(words []string) error {
	if len(words) == 1 {
		if n, err := strconv.Atoi(words[0]); err == nil {
			family := v4
			if n > len(f.rules[v4]) {
				n, family = n-len(f.rules[v4]), v6
			}
			if n < 1 || n > len(f.rules[family]) {
				return failure.New(failure.Usage, "", "there is no rule %s to delete", words[0])
			}
			f.rules[family] = slices.Delete(f.rules[family], n-1, n)
			return nil
		}
	}
	r, err := parse(words)
	if err != nil {
		return err
	}
	for _, family := range r.families() { // what is not there is no error of ufw's
		f.rules[family] = slices.DeleteFunc(f.rules[family], func(old rule) bool { return old == r })
	}
	return nil
}

// families says in which lists a rule stands: that of IPv4, of IPv6, or both.
func (m match) families() []int {
	for _, network := range [...]string{m.from, m.to} {
		if prefix, err := netip.ParsePrefix(network); err == nil {
			if prefix.Addr().Is4() {
				return []int{v4}
			}
			return []int{v6}
		}
	}
	return []int{v4, v6}
}

// Packet is one that reaches the machine from elsewhere, or leaves it.
type Packet struct {
	Out      bool
	Device   string // through which it comes
	Protocol string // tcp or udp
	From, To netip.Addr
	FromPort int
	ToPort   int
}

// Decide says what becomes of a packet: allow, deny, reject or limit, and by what: the
// first rule that matches, written as ufw shows it, or the default. It does not look
// at connections that are there already, nor whether the firewall is on.
func (f *Firewall) Decide(p Packet) (action, by string) {
	family := v4
	if p.From.Is6() && !p.From.Is4In6() {
		family = v6
	}
	for _, r := range f.rules[family] {
		if r.matches(p) {
			return r.action, "ufw " + r.String()
		}
	}
	if p.Out {
		return f.Outgoing, "ufw default " + f.Outgoing + " outgoing"
	}
	return f.Incoming, "ufw default " + f.Incoming + " incoming"
}

func (m match) matches(p Packet) bool {
	return m.out == p.Out && (m.device == "" || m.device == p.Device) && (m.protocol == "any" || m.protocol == p.Protocol) &&
		inNetwork(m.from, p.From) && inNetwork(m.to, p.To) && inPorts(m.fromPorts, p.FromPort) && inPorts(m.toPorts, p.ToPort)
}

// inNetwork takes an address that is not known for one of every network's but that of
// a rule that names one.
func inNetwork(network string, address netip.Addr) bool {
	prefix, err := netip.ParsePrefix(network)
	return err != nil || prefix.Contains(address)
}

func inPorts(ports string, port int) bool {
	if ports == "any" {
		return true
	}
	for part := range strings.SplitSeq(ports, ",") {
		low, high, _ := strings.Cut(part, ":")
		first, err := strconv.Atoi(low)
		last := first
		if high != "" && err == nil {
			last, err = strconv.Atoi(high)
		}
		if err == nil && first <= port && port <= last {
			return true
		}
	}
	return false
}

// String writes a rule in full.
func (r rule) String() string {
	text := r.action
	if r.out {
		text += " out"
	}
	if r.device != "" {
		if !r.out {
			text += " in"
		}
		text += " on " + r.device
	}
	text += " from " + r.from
	if r.fromPorts != "any" {
		text += " port " + r.fromPorts
	}
	text += " to " + r.to
	if r.toPorts != "any" {
		text += " port " + r.toPorts
	}
	if r.protocol != "any" {
		text += " proto " + r.protocol
	}
	return text
}
