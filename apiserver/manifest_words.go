package apiserver

import (
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/yamlfile"
)

// word is an item of the container's command or args.
type word struct {
	list  string     // command or args
	node  *yaml.Node // nil: it is not in the text yet
	value string
}

// The two lists of words, in the order in which the container gets them.
var wordLists = [2]string{"command", "args"}

// readWords reads the words and sees that the kubelet reads the same ones.
func (m *Manifest) readWords() error {
	for _, list := range wordLists {
		node := yamlfile.Field(m.container, list)
		if node == nil {
			continue
		}
		for _, item := range node.Content {
			m.words = append(m.words, word{list, item, item.Value})
		}
	}
	if err := m.checkTexts(); err != nil {
		return err
	}
	container := m.Component.Container
	if !slices.Equal(texts(m.words), slices.Concat(container.Command, container.Args)) {
		return failure.New(failure.Usage, "write each item of command and args as one plain or quoted text", "%q has a command that can be read in two ways", m.Name)
	}
	return m.checkProgram()
}

// checkTexts refuses items that the kubelet reads as numbers or as yes and no, by
// the rules of YAML 1.1: it would not take the Pod.
func (m *Manifest) checkTexts() error {
	pod, err := generic(m.data)
	if err != nil {
		return failure.Wrap(err, failure.Usage, manifestHint, "%q is not what the kubelet takes for a Pod", m.Name)
	}
	container, i := containerIn(pod, m.index), 0
	for _, list := range wordLists {
		for _, item := range listIn(container, list) {
			if _, isText := item.(string); !isText && i < len(m.words) {
				return m.file().ErrorAt(m.words[i].node, "write it in quotes", "%s is no text to the kubelet, which does not take such a Pod", m.words[i].value)
			}
			i++
		}
	}
	return nil
}

func texts(words []word) []string {
	var list []string
	for _, w := range words {
		list = append(list, w.value)
	}
	return list
}

// shells run what is in an argument: flags in there are no words of their own.
var shells = []string{"sh", "bash", "dash", "ash", "busybox", "env"}

// checkProgram refuses a command whose flags are not those of kube-apiserver.
func (m *Manifest) checkProgram() error {
	program := m.programAt(m.words)
	switch {
	case len(m.words) == 0:
		return failure.New(failure.Usage, "write the command out: command: [kube-apiserver, …]", "container %q of %q has neither command nor args", m.Component.Container.Name, m.Name)
	case m.words[0].list == "command" && slices.Contains(shells, path.Base(m.words[0].value)):
		return m.file().ErrorAt(m.words[0].node, "have the container run kube-apiserver itself, with one flag in each item",
			"kube-apiserver is run by %s, whose script is not edited", m.words[0].value)
	case program < 0 && m.words[0].list == "command":
		return m.file().ErrorAt(m.words[0].node, manifestHint, "the command %q does not run kube-apiserver", m.words[0].value)
	}
	for _, w := range m.words[program+1:] {
		if w.value == "--" {
			return m.file().ErrorAt(w.node, "take it out", "behind -- kube-apiserver takes no flags")
		}
	}
	return nil
}

// programAt returns which word is the program, behind which its flags stand; -1
// where the image says it.
func (m *Manifest) programAt(words []word) int {
	if len(words) > 0 && words[0].list == "args" && strings.HasPrefix(words[0].value, "-") {
		return -1
	}
	return slices.IndexFunc(words, func(w word) bool { return path.Base(w.value) == Component && !strings.HasPrefix(w.value, "-") })
}

// ManifestFlag is a flag of kube-apiserver as it stands in a manifest.
type ManifestFlag struct {
	Name string // without dashes; an underscore in it is a dash, as for kube-apiserver
	// Value is "true" for a flag that stands without one.
	Value    string
	Line     int  // where it stands; 0 for one that is not in the text
	Repeated bool // it stands in the manifest more than once

	from, to int // its words
}

// Flags returns the flags in the order in which they stand. Of those that are
// Repeated the last counts, or all do: see Value.
func (m *Manifest) Flags() []ManifestFlag { return m.flagsOf(m.words) }

// Value returns the value of a flag as kube-apiserver takes it, and whether the
// manifest has it at all: of several of a name the last counts, but those of
// lists add up to one with commas.
func (m *Manifest) Value(name string) (value string, found bool) { return valueOf(m.Flags(), name) }

func valueOf(flags []ManifestFlag, name string) (value string, found bool) {
	for _, f := range flags {
		switch {
		case f.Name != name:
		case found && addsUp(name):
			value += "," + f.Value
		default:
			value, found = f.Value, true
		}
	}
	return value, found
}

// flagsOf reads flags as pflag does (github.com/spf13/pflag, parseArgs): --a=b,
// --a b, --a where it needs no value, -v=4, -v 4 and -v4.
func (m *Manifest) flagsOf(words []word) []ManifestFlag {
	var flags []ManifestFlag
	for i := m.programAt(words) + 1; i < len(words); i++ {
		text := words[i].value
		if len(text) < 2 || text[0] != '-' {
			continue // kube-apiserver takes no arguments and would not start
		}
		f := ManifestFlag{from: i, to: i + 1}
		isWhole := false
		if name, isLong := strings.CutPrefix(text, "--"); isLong {
			f.Name, f.Value, isWhole = strings.Cut(name, "=")
		} else {
			f.Name, f.Value, isWhole = text[1:2], strings.TrimPrefix(text[2:], "="), len(text) > 2
		}
		f.Name = normal(f.Name)
		if !isWhole {
			f.Value = "true"
			if i+1 < len(words) && takesWord(f.Name, words[i+1].value) {
				i++
				f.Value, f.to = words[i].value, i+1
			}
		}
		if node := words[f.from].node; node != nil {
			f.Line = node.Line
		}
		flags = append(flags, f)
	}
	count := map[string]int{}
	for _, f := range flags {
		count[f.Name]++
	}
	for i := range flags {
		flags[i].Repeated = count[flags[i].Name] > 1
	}
	return flags
}

// normal returns the name of a flag as kube-apiserver knows it
// (k8s.io/component-base/cli/flag, WordSepNormalizeFunc).
func normal(name string) string { return strings.ReplaceAll(name, "_", "-") }

// takesWord says whether a flag without = takes the next word for its value. One
// that is not known does so unless that looks like a flag.
func takesWord(name, next string) bool {
	known, isKnown := lookup(name)
	if !isKnown {
		return !strings.HasPrefix(next, "-")
	}
	return known.Type != TypeBool
}

// addsUp says whether a flag that stands several times has all of its values.
func addsUp(name string) bool {
	known, _ := lookup(name)
	return known.takesSeveral()
}
