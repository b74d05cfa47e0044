package apparmor

import (
	"fmt"
	"slices"
	"strings"
)

// Perms are permissions for a file.
type Perms uint8

// The permissions. Write includes Append.
const (
	Read Perms = 1 << iota
	Write
	Append
	Exec
	Map // into memory, to run it
	Link
	Lock
)

// String writes them as a profile does.
func (p Perms) String() string {
	var text strings.Builder
	for i, letter := range "rwaxmlk" {
		if p&(1<<i) != 0 {
			text.WriteRune(letter)
		}
	}
	return text.String()
}

// fileRule is one for files.
type fileRule struct {
	deny, owner bool
	perms       Perms
	exec        string // how programs are run: one of execModes
	paths       []glob
	text        string
}

// qualifiers stand before a rule, in this order.
type qualifiers struct{ audit, deny, owner, other bool }

func (q *qualifiers) read(words []word) []word {
	next := func(text string) bool {
		if len(words) == 0 || words[0].quoted || words[0].text != text {
			return false
		}
		words = words[1:]
		return true
	}
	q.audit = next("audit")
	if q.deny = next("deny"); !q.deny {
		next("allow")
	}
	if q.owner = next("owner"); !q.owner {
		q.other = next("other")
	}
	return words
}

// read reads a rule.
func (p *parser) read(profile *Profile, all []word) error {
	var q qualifiers
	words := q.read(all)
	if len(words) == 0 {
		return fmt.Errorf("a comma without a rule before it")
	}
	first, rest := words[0], words[1:]
	if first.quoted || isPath(first.text) {
		return p.file(profile, q, words, all)
	}
	switch first.text {
	case "file":
		return p.file(profile, q, rest, all)
	case "link":
		return p.link(profile, q, rest, all)
	case "capability":
		return capability(profile, q, rest)
	case "network":
		return network(rest)
	case "signal", "ptrace", "unix", "mount", "remount", "umount", "unmount", "pivot_root", "change_profile", "set", "userns", "dbus", "mqueue", "io_uring":
		return p.other(first.text, rest)
	}
	if _, _, err := parsePerms(first.text, q.deny); err == nil { // before the path
		return p.file(profile, q, words, all)
	}
	return fmt.Errorf("%q is no rule that is known", textOf(all))
}

// isPath says whether a word may be the path of a rule.
func isPath(text string) bool { return strings.HasPrefix(text, "/") || strings.HasPrefix(text, "@{") }

const everything = Read | Write | Append | Exec | Map | Link | Lock

// file reads [PERMS] PATH [PERMS] [-> PROFILE].
func (p *parser) file(profile *Profile, q qualifiers, words, all []word) error {
	rule := fileRule{deny: q.deny, owner: q.owner, text: textOf(all)}
	if q.other {
		return fmt.Errorf("other is not known to pkictl: %q", rule.text)
	}
	if len(words) == 0 && q.deny { // it stands for ix, which no rule that denies may have
		return fmt.Errorf("deny file does not name permissions: write them, as in deny /** w")
	}
	if len(words) == 0 {
		rule.perms, rule.exec, rule.paths = everything, "ix", []glob{matchAll}
		profile.files = append(profile.files, rule)
		return nil
	}
	if i := slices.IndexFunc(words, func(w word) bool { return w.text == "->" && !w.quoted }); i >= 0 {
		if i != len(words)-2 {
			return fmt.Errorf("-> is followed by one name: %q", rule.text)
		}
		words = words[:i]
	}
	if len(words) != 2 {
		return fmt.Errorf("%q is not a path and its permissions", rule.text)
	}
	path, perms := words[0], words[1]
	if !path.quoted && !isPath(path.text) {
		path, perms = perms, path
	}
	if !isPath(path.text) {
		return fmt.Errorf("%q is no path: it begins with / or a variable", path.text)
	}
	var err error
	if perms.quoted {
		return fmt.Errorf("permissions in quotes: %q", perms.text)
	}
	if rule.perms, rule.exec, err = parsePerms(perms.text, q.deny); err != nil {
		return err
	}
	if rule.paths, err = p.globs(path.text); err != nil {
		return err
	}
	profile.files = append(profile.files, rule)
	return nil
}

// link reads [subset] PATH -> PATH.
func (p *parser) link(profile *Profile, q qualifiers, words, all []word) error {
	if len(words) > 0 && words[0].text == "subset" {
		words = words[1:]
	}
	if len(words) != 3 || words[1].text != "->" || !isPath(words[0].text) || !isPath(words[2].text) {
		return fmt.Errorf("%q is not link PATH -> PATH", textOf(all))
	}
	paths, err := p.globs(words[0].text)
	profile.files = append(profile.files, fileRule{deny: q.deny, owner: q.owner, perms: Link, paths: paths, text: textOf(all)})
	return err
}

// execModes say how a program is run: those in capital letters clean its environment.
var execModes = [...]string{"ix", "px", "cx", "ux", "pix", "cix", "pux", "cux", "Px", "Cx", "Ux", "Pix", "Cix", "PUx", "CUx"}

// parsePerms reads permissions such as rw or rix. A rule that denies has x alone.
func parsePerms(text string, deny bool) (perms Perms, exec string, err error) {
	for _, c := range text {
		if strings.ContainsRune("RWAXMLKI", c) { // apparmor_parser takes them, with a warning
			c += 'a' - 'A'
		}
		if i := strings.IndexRune("rwa", c); i >= 0 {
			perms |= 1 << i
			continue
		}
		switch {
		case c == 'm':
			perms |= Map
		case c == 'l':
			perms |= Link
		case c == 'k':
			perms |= Lock
		case strings.ContainsRune("ipcuPCUx", c):
			exec += string(c)
		default:
			return 0, "", fmt.Errorf("%q are no permissions: there is no %q", text, c)
		}
	}
	switch {
	case text == "":
		return 0, "", fmt.Errorf("a path without permissions")
	case perms&Write != 0 && perms&Append != 0:
		return 0, "", fmt.Errorf("%q has w and a, which exclude each other", text)
	case exec != "" && deny && exec != "x":
		return 0, "", fmt.Errorf("%q: a rule that denies has x without %q before it", text, strings.TrimSuffix(exec, "x"))
	case exec == "x" && !deny:
		return 0, "", fmt.Errorf("%q: x needs i, p, c or u before it, which says under what profile the program runs", text)
	case exec != "" && exec != "x" && !slices.Contains(execModes[:], exec):
		return 0, "", fmt.Errorf("%q: there is no way %q to run a program", text, exec)
	}
	if exec != "" {
		perms |= Exec
	}
	if strings.Contains(exec, "i") { // what runs in the same profile is mapped by it
		perms |= Map
	}
	if perms&Write != 0 {
		perms |= Append
	}
	return perms, exec, nil
}

var capabilities = [...]string{"audit_control", "audit_read", "audit_write", "block_suspend", "bpf", "checkpoint_restore", "chown", "dac_override",
	"dac_read_search", "fowner", "fsetid", "ipc_lock", "ipc_owner", "kill", "lease", "linux_immutable", "mac_admin", "mac_override", "mknod", "net_admin",
	"net_bind_service", "net_broadcast", "net_raw", "perfmon", "setfcap", "setgid", "setpcap", "setuid", "sys_admin", "sys_boot", "sys_chroot",
	"sys_module", "sys_nice", "sys_pacct", "sys_ptrace", "sys_rawio", "sys_resource", "sys_time", "sys_tty_config", "syslog", "wake_alarm"}

func capability(_ *Profile, _ qualifiers, words []word) error {
	for _, w := range words {
		if !slices.Contains(capabilities[:], w.text) {
			return fmt.Errorf("there is no capability %s", w.text)
		}
	}
	return nil
}

var (
	networkDomains = [...]string{"unix", "inet", "ax25", "ipx", "appletalk", "netrom", "bridge", "atmpvc", "x25", "inet6", "rose", "netbeui", "security",
		"key", "netlink", "packet", "ash", "econet", "atmsvc", "rds", "sna", "irda", "pppox", "wanpipe", "llc", "ib", "mpls", "can", "tipc", "bluetooth",
		"iucv", "rxrpc", "isdn", "phonet", "ieee802154", "caif", "alg", "nfc", "vsock", "kcm", "qipcrtr", "smc", "xdp", "mctp"}
	networkTypes     = [...]string{"stream", "dgram", "seqpacket", "rdm", "raw", "packet"}
	networkProtocols = [...]string{"tcp", "udp", "icmp"}
)

// network reads [DOMAIN] [TYPE or PROTOCOL].
func network(words []word) error {
	kind := func(text string) bool {
		return slices.Contains(networkTypes[:], text) || slices.Contains(networkProtocols[:], text)
	}
	domain := func(text string) bool { return slices.Contains(networkDomains[:], text) }
	switch {
	case len(words) == 0,
		len(words) == 1 && (domain(words[0].text) || kind(words[0].text)),
		len(words) == 2 && domain(words[0].text) && kind(words[1].text):
		return nil
	}
	return fmt.Errorf("network %q is no domain with a type or protocol, such as inet stream", textOf(words))
}

// otherWords are what a rule has that says nothing of files: accesses, and the names of
// settings before a =.
func otherWords(kind string) []string {
	switch kind {
	case "signal":
		return []string{"send", "receive", "r", "w", "rw", "read", "write", "set", "peer"}
	case "ptrace":
		return []string{"trace", "tracedby", "read", "readby", "r", "w", "rw", "peer"}
	case "unix":
		return []string{"create", "bind", "listen", "accept", "connect", "shutdown", "getattr", "setattr", "getopt", "setopt", "send", "receive",
			"r", "w", "rw", "type", "protocol", "addr", "label", "attr", "opt", "peer"}
	case "pivot_root":
		return []string{"oldroot"}
	case "userns":
		return []string{"create"}
	}
	return []string{"fstype", "vfstype", "options", "option"} // mount and the like
}

// other reads a rule that says nothing of files. It looks at its words alone.
func (p *parser) other(kind string, words []word) error {
	for _, w := range words {
		text := w.text
		if slices.Contains([]string{"set", "change_profile", "dbus", "mqueue", "io_uring"}, kind) || w.quoted || text == "->" || text == "in" || isPath(text) {
			continue
		}
		name, _, _ := strings.Cut(text, "=")
		for _, one := range strings.FieldsFunc(strings.Trim(name, "()"), func(r rune) bool { return r == ',' || r == ' ' }) {
			if !slices.Contains(otherWords(kind), one) {
				return fmt.Errorf("a rule for %s knows no %q", kind, one)
			}
		}
	}
	if kind == "set" && (len(words) < 3 || words[0].text != "rlimit") {
		return fmt.Errorf("set is followed by rlimit, a resource and a limit")
	}
	return nil
}
