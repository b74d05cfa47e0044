// Package apparmor reads AppArmor profiles, as far as containers need them, and says
// what one lets a program do with a file (apparmor.d(5)).
//
// It knows profiles with flags, includes of Debian's abstractions and tunables,
// variables, rules for files, capabilities, networks, signals, ptrace, mounts, unix
// sockets, rlimits and changes of profile. Conditionals (if), D-Bus and blocks of rules
// behind a qualifier it does not know, and says so.
package apparmor

import (
	"slices"
	"strings"

	"github.com/pkictl/pkictl/internal/failure"
)

// File is a file of profiles.
type File struct {
	Profiles []*Profile
}

// Profile is what a program may do.
type Profile struct {
	Name     string // by which it is loaded
	Flags    []string
	Includes []string
	Children []*Profile

	files []fileRule
}

// Complain says whether the kernel lets everything pass that no rule denies, and writes
// it down.
func (p *Profile) Complain() bool { return slices.Contains(p.Flags, "complain") }

// Profile returns the profile of a name, nil if there is none.
func (f *File) Profile(name string) *Profile {
	for _, p := range f.Profiles {
		if p.Name == name {
			return p
		}
	}
	return nil
}

// parser reads a file.
type parser struct {
	scanner
	variables map[string][]string
	depth     int
	compiled  *int // how many globs
}

const (
	maxText  = 256 << 10 // bytes
	maxDepth = 8         // of profiles in profiles
)

// Parse reads a file of profiles. Errors name the line.
func Parse(data []byte) (*File, error) {
	if len(data) > maxText {
		return nil, failure.New(failure.Finding, "", "it is larger than %d KiB", maxText>>10)
	}
	if strings.ContainsRune(string(data), 0) {
		return nil, failure.New(failure.Finding, "", "it is no text")
	}
	p := &parser{scanner: scanner{text: string(data)}, variables: map[string][]string{}, compiled: new(int)}
	file := &File{}
	for {
		p.skip()
		if p.peek() == 0 {
			break
		}
		if err := p.statement(file); err != nil {
			return nil, err
		}
	}
	if len(file.Profiles) == 0 {
		return nil, failure.New(failure.Finding, "", "it has no profile")
	}
	return file, nil
}

// statement reads what stands outside of profiles.
func (p *parser) statement(file *File) error {
	if p.atInclude() {
		_, err := p.include()
		return err
	}
	if strings.HasPrefix(p.text[p.at:], "@{") {
		return p.variable()
	}
	begin := p.at
	first, err := p.word()
	if err != nil {
		return err
	}
	if first.text == "abi" && !first.quoted {
		_, err := p.rule()
		return err
	}
	p.at = begin
	profile, err := p.profile()
	if err != nil {
		return err
	}
	if file.Profile(profile.Name) != nil {
		return p.errorf("there are two profiles %s", profile.Name)
	}
	file.Profiles = append(file.Profiles, profile)
	return nil
}

// include reads an include, and returns what is included.
func (p *parser) include() (string, error) {
	p.take("#")
	p.take("include")
	p.blanks()
	optional := p.take("if")
	if optional {
		p.blanks()
		if !p.take("exists") {
			return "", p.errorf("include if is followed by exists")
		}
		p.blanks()
	}
	closing := byte('>')
	switch {
	case p.take("<"):
	case p.take(`"`):
		closing = '"'
	default:
		return "", p.errorf("an include names a file as in <abstractions/base>")
	}
	end := strings.IndexAny(p.text[p.at:], string(closing)+"\n")
	if end < 0 || p.text[p.at+end] != closing {
		return "", p.errorf("an include that is not closed")
	}
	name := p.text[p.at : p.at+end]
	p.at += end + 1
	if name == "tunables/global" {
		p.declare()
		return name, nil
	}
	if !optional && !isInclude(name) {
		return "", p.errorf("there is no file %s to include", name)
	}
	return name, nil
}

// blanks skips blanks on this line.
func (p *parser) blanks() {
	for p.peek() == ' ' || p.peek() == '\t' {
		p.at++
	}
}

// variable reads @{NAME} = values, up to the end of the line.
func (p *parser) variable() error {
	line, _, _ := strings.Cut(p.text[p.at:], "\n")
	name, rest, ok := strings.Cut(strings.TrimPrefix(line, "@{"), "}")
	rest = strings.TrimSpace(rest)
	adds := strings.HasPrefix(rest, "+=")
	rest, is := strings.CutPrefix(strings.TrimPrefix(rest, "+"), "=")
	rest, _, _ = strings.Cut(rest, " #")
	values := strings.Fields(rest)
	_, known := p.variables[name]
	switch {
	case !ok || !is || len(values) == 0:
		return p.errorf("a variable is set as in @{HOME}=/home/ /root/")
	case adds && !known:
		return p.errorf("variable @{%s} is not declared", name)
	case !adds && known:
		return p.errorf("variable @{%s} is declared twice", name)
	}
	for _, value := range values {
		p.variables[name] = append(p.variables[name], strings.Trim(value, `"`))
	}
	p.at += len(line)
	return nil
}

// profile reads a profile from its head on.
func (p *parser) profile() (*Profile, error) {
	profile := &Profile{}
	if err := p.head(profile); err != nil {
		return nil, err
	}
	if p.depth++; p.depth > maxDepth {
		return nil, p.errorf("profiles are nested more than %d deep", maxDepth)
	}
	defer func() { p.depth-- }()
	for {
		p.skip()
		switch {
		case p.peek() == 0:
			return nil, p.errorf("profile %s is not closed with a }", profile.Name)
		case p.take("}"):
			return profile, nil
		}
		if err := p.entry(profile); err != nil {
			return nil, err
		}
	}
}

// head reads up to the opening brace.
func (p *parser) head(profile *Profile) error {
	first, err := p.word()
	if err != nil {
		return err
	}
	named := first.text == "profile" && !first.quoted
	if !named && !strings.HasPrefix(first.text, "/") && !strings.HasPrefix(first.text, "^") && !strings.HasPrefix(first.text, "@{") {
		return p.errorf("a profile begins with profile NAME {, and here is %q", first.text)
	}
	name := first
	if named {
		p.skip()
		if name, err = p.word(); err != nil {
			return err
		}
	}
	profile.Name = name.text
	if name.text == "" || !name.quoted && strings.ContainsAny(name.text, "(){,") {
		return p.errorf("%q is no name of a profile", name.text)
	}
	p.skip()
	if named && (p.peek() == '/' || p.peek() == '"' || p.peek() == '@') { // what it attaches to
		if _, err := p.word(); err != nil {
			return err
		}
		p.skip()
	}
	if err := p.flags(profile); err != nil {
		return err
	}
	p.skip()
	if !p.take("{") {
		rest, _, _ := strings.Cut(p.text[p.at:], "\n")
		return p.errorf("after the name and flags of profile %s comes {, and here is %q", profile.Name, strings.TrimSpace(rest))
	}
	return nil
}

// profileFlags are those of AppArmor 3.0 to 4.0.
var profileFlags = [...]string{"enforce", "complain", "kill", "unconfined", "prompt", "default_allow", "audit", "debug", "interruptible", "chroot_relative",
	"namespace_relative", "mediate_deleted", "delegate_deleted", "attach_disconnected", "no_attach_disconnected", "chroot_attach", "chroot_no_attach"}

// flags reads flags=(a, b), or (a b).
func (p *parser) flags(profile *Profile) error {
	if p.take("flags") {
		p.skip()
		if !p.take("=") {
			return p.errorf("flags is followed by = and the flags in parentheses, as in flags=(attach_disconnected), and here is %q", string(p.peek()))
		}
		p.skip()
		if p.peek() != '(' {
			return p.errorf("flags stand in parentheses, as in flags=(attach_disconnected)")
		}
	}
	if !p.take("(") {
		return nil
	}
	list, _, ok := strings.Cut(p.text[p.at:], ")")
	if !ok || strings.ContainsAny(list, "{}") {
		return p.errorf("the flags of profile %s are not closed with a )", profile.Name)
	}
	profile.Flags = strings.FieldsFunc(list, func(r rune) bool { return strings.ContainsRune(", \t\r\n", r) })
	for _, flag := range profile.Flags {
		if !slices.Contains(profileFlags[:], flag) {
			return p.errorf("there is no flag %s", flag)
		}
	}
	if len(profile.Flags) == 0 {
		return p.errorf("the flags of profile %s are empty", profile.Name)
	}
	p.at += len(list) + 1
	return nil
}

// entry reads one thing in a profile.
func (p *parser) entry(profile *Profile) error {
	if p.atInclude() {
		name, err := p.include()
		if err == nil {
			profile.Includes = append(profile.Includes, name)
			err = p.included(profile, name)
		}
		return err
	}
	rest := p.text[p.at:]
	if strings.HasPrefix(rest, "profile ") || strings.HasPrefix(rest, "profile\t") || strings.HasPrefix(rest, "^") {
		child, err := p.profile()
		profile.Children = append(profile.Children, child)
		return err
	}
	begin := p.at
	words, err := p.rule()
	if err != nil {
		return err
	}
	if err := p.read(profile, words); err != nil {
		end := p.at
		p.at = begin
		err = p.errorf("%v", err)
		p.at = end
		return err
	}
	return nil
}
