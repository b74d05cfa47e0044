package apiserver

import (
	_ "embed"
	"slices"
	"strings"
	"sync"

	"github.com/pkictl/pkictl/internal/failure"
)

//go:embed known_plugins.txt
var pluginsText string

// knownPlugins are the admission plugins, as if they were flags.
var knownPlugins = sync.OnceValue(func() []KnownFlag {
	plugins := make([]KnownFlag, 0, 64)
	for line := range strings.Lines(pluginsText) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			name, rest, _ := strings.Cut(line, " ")
			plugins = append(plugins, parseKnown(name+" text "+rest))
		}
	}
	return plugins
})

// PluginNames returns the admission plugins that a kube-apiserver of that version
// has.
func PluginNames(v Version) []string { return namesIn(knownPlugins(), v) }

// FlagNames returns the flags that a kube-apiserver of that version has.
func FlagNames(v Version) []string { return namesIn(knownFlags(), v) }

func namesIn(known []KnownFlag, v Version) []string {
	var names []string
	for _, k := range known {
		if k.In(v) {
			names = append(names, k.Name)
		}
	}
	return names
}

// checkPlugin says whether a kube-apiserver of that version has the admission
// plugin: with one that it does not know it would not start. The error is of
// kind Usage.
func checkPlugin(name string, v Version) error {
	var names []string
	for _, plugin := range knownPlugins() {
		switch {
		case plugin.In(v) && plugin.Name == name:
			return nil
		case plugin.In(v):
			names = append(names, plugin.Name)
		case plugin.Name == name && v.AtLeast(plugin.Since):
			hint := "leave it out"
			if plugin.Instead != "" {
				hint = "there is " + plugin.Instead + " instead"
			}
			return failure.New(failure.Usage, hint, "kube-apiserver %s has no admission plugin %s: %s was the last that had it", v, name, plugin.Until)
		case plugin.Name == name:
			return failure.New(failure.Usage, "leave it out", "kube-apiserver %s has no admission plugin %s: it came with %s", v, name, plugin.Since)
		}
	}
	return failure.New(failure.Usage, failure.Suggest(name, names), "kube-apiserver %s has no admission plugin %q", v, name)
}

// admission is about admission plugins and their configuration.
func (p *planner) admission() error {
	o := &p.Admission
	if err := p.admissionConfig(); err != nil {
		return err
	}
	if p.Hardened {
		o.Enable = append(slices.Clone(o.Enable), "NodeRestriction")
	}
	for _, name := range slices.Concat(o.Enable, o.Disable) {
		if err := checkPlugin(name, p.plan.Version); err != nil {
			return err
		}
		if slices.Contains(o.Enable, name) && slices.Contains(o.Disable, name) {
			return failure.New(failure.Usage, "choose one", "the admission plugin %s is both enabled and disabled", name)
		}
	}
	why := "admission plugins beside those that are enabled by default"
	if slices.Contains(o.Enable, "NodeRestriction") {
		why += " (NodeRestriction: CIS 1.2.14)"
	}
	p.add("enable-admission-plugins", unique(o.Enable), why)
	p.add("disable-admission-plugins", unique(o.Disable), "admission plugins that are not to run")
	return nil
}

// unique returns a list without what is in it twice, in its order.
func unique(list []string) []string {
	var once []string
	for _, item := range list {
		if !slices.Contains(once, item) {
			once = append(once, item)
		}
	}
	return once
}
