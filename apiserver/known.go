package apiserver

import (
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/pkictl/pkictl/internal/failure"
)

// FlagType is what the value of a flag is.
type FlagType string

// Types of flags, as github.com/spf13/pflag and k8s.io/component-base/cli/flag
// read them.
const (
	TypeBool     FlagType = "bool" // --name alone is true
	TypeInt      FlagType = "int"
	TypeFloat    FlagType = "float"
	TypeDuration FlagType = "duration" // as time.ParseDuration reads it
	TypeText     FlagType = "text"
	TypeList     FlagType = "list"     // with commas; given twice, both count
	TypeMap      FlagType = "map"      // key=value with commas; given twice, both count
	TypeRepeated FlagType = "repeated" // one value each time
	TypeCertKey  FlagType = "certkey"  // CERTIFICATE,KEY or CERTIFICATE,KEY:DOMAINS, each time
)

// PathUse is what kube-apiserver does with the path that is a flag's value.
type PathUse string

// Uses of paths.
const (
	PathFile      PathUse = "file"      // reads it when it starts
	PathReread    PathUse = "reread"    // reads it again when it changes
	PathWritten   PathUse = "written"   // makes it
	PathDirectory PathUse = "directory" // makes files in it
	PathSocket    PathUse = "socket"    // connects to it
)

// KnownFlag is a flag that some version of kube-apiserver has.
type KnownFlag struct {
	Name string
	Type FlagType
	Path PathUse // empty: the value is no path
	// Since and Until are the first and the last version that has it; the zero
	// Version where that is none of those known.
	Since, Until Version
	Deprecated   bool
	Instead      string // what there is instead, may be empty
}

//go:embed known_flags.txt
var knownText string

// knownFlags are all, sorted by name.
var knownFlags = sync.OnceValue(func() []KnownFlag {
	flags := make([]KnownFlag, 0, 256)
	for line := range strings.Lines(knownText) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			flags = append(flags, parseKnown(line))
		}
	}
	slices.SortFunc(flags, func(a, b KnownFlag) int { return strings.Compare(a.Name, b.Name) })
	return flags
})

// parseKnown reads a line of known_flags.txt, which tests hold right.
func parseKnown(line string) KnownFlag {
	line, instead, _ := strings.Cut(line, "#")
	fields := strings.Fields(line)
	flag := KnownFlag{Name: fields[0], Type: FlagType(fields[1]), Instead: strings.TrimSpace(instead)}
	for _, field := range fields[2:] {
		switch key, value, _ := strings.Cut(field, "="); key {
		case "path":
			flag.Path = PathUse(value)
		case "since":
			flag.Since = mustVersion(value)
		case "until":
			flag.Until = mustVersion(value)
		case "deprecated":
			flag.Deprecated = true
		}
	}
	return flag
}

func mustVersion(text string) Version {
	var v Version
	_, _ = fmt.Sscanf(text, "%d.%d", &v.Major, &v.Minor) // a test reads all
	return v
}

// In says whether a version has the flag.
func (k KnownFlag) In(v Version) bool {
	return v.AtLeast(k.Since) && (k.Until == Version{} || k.Until.AtLeast(v))
}

// Known returns the flag of that name, without dashes, of a kube-apiserver of
// that version. Underscores stand for dashes, as they do there. A flag that it
// does not have, and would not start with, is an error of kind Usage that says
// which was meant or what there is instead.
func Known(name string, v Version) (KnownFlag, error) {
	name = normal(name)
	flag, found := lookup(name)
	if found && flag.In(v) {
		return flag, nil
	}
	if !found {
		return KnownFlag{}, failure.New(failure.Usage, suggestFlag(name, v), "kube-apiserver %s has no flag --%s", v, name)
	}
	hint := "leave it out"
	if flag.Instead != "" {
		hint += "; there is " + flag.Instead
	}
	if !v.AtLeast(flag.Since) {
		return KnownFlag{}, failure.New(failure.Usage, hint, "kube-apiserver %s has no flag --%s: it came with %s", v, name, flag.Since)
	}
	return KnownFlag{}, failure.New(failure.Usage, hint, "kube-apiserver %s has no flag --%s: %s was the last that had it", v, name, flag.Until)
}

// lookup returns the flag that some version has under that name.
func lookup(name string) (KnownFlag, bool) {
	all := knownFlags()
	at, found := slices.BinarySearchFunc(all, name, func(k KnownFlag, name string) int { return strings.Compare(k.Name, name) })
	if !found {
		return KnownFlag{}, false
	}
	return all[at], true
}

// suggestFlag is the hint for a flag that no version has.
func suggestFlag(name string, v Version) string {
	var names []string
	for _, flag := range knownFlags() {
		if flag.In(v) && len(flag.Name) > 2 {
			names = append(names, flag.Name)
		}
	}
	if near := failure.Closest(name, names); near != "" {
		return "did you mean --" + near + "?"
	}
	begins := slices.DeleteFunc(names, func(known string) bool { return !strings.HasPrefix(known, name+"-") })
	if len(begins) > 0 && len(begins) <= 4 {
		return "there is --" + strings.Join(begins, ", --")
	}
	return "see: kube-apiserver --help"
}

// Paths returns the paths in a value of the flag: none if the value is none, two
// for a certificate with its key.
func (k KnownFlag) Paths(value string) []string {
	switch {
	case k.Path == "" || value == "" || value == "-":
		return nil
	case k.Type == TypeCertKey:
		files, _, _ := strings.Cut(value, ":") // the domains
		return strings.Split(files, ",")
	case k.Path == PathSocket:
		value = strings.TrimPrefix(value, "unix://")
		if strings.HasPrefix(value, "@") || isAbstract(value) { // which is no file
			return nil
		}
	}
	return []string{value}
}

// CheckValue says whether kube-apiserver could read the value, as far as its
// type goes. The error is of kind Usage.
func (k KnownFlag) CheckValue(value string) error {
	valid, like := true, ""
	switch k.Type {
	case TypeBool:
		_, err := strconv.ParseBool(value)
		valid, like = err == nil || k.Name == "version", "true or false"
	case TypeInt:
		_, err := strconv.ParseInt(value, 0, 64)
		valid, like = err == nil, "a number"
	case TypeFloat:
		_, err := strconv.ParseFloat(value, 64)
		valid, like = err == nil, "a number"
	case TypeDuration:
		valid, like = isDuration(value), "a time like 30s or 1h30m"
	case TypeMap:
		valid, like = isMap(value), "NAME=VALUE, with commas between several"
	case TypeCertKey:
		valid, like = len(k.Paths(value)) == 2, "CERTIFICATE,KEY or CERTIFICATE,KEY:DOMAIN,..."
	}
	if valid {
		return nil
	}
	return failure.New(failure.Usage, "its value is "+like, "kube-apiserver does not take %q for --%s", value, k.Name)
}

func isDuration(value string) bool {
	_, err := time.ParseDuration(value)
	return err == nil
}

// isMap looks for one pair only: keys and values of some flags have commas.
func isMap(value string) bool {
	key, _, found := strings.Cut(value, "=")
	return value == "" || found && key != ""
}
