package apiserver

import (
	"cmp"
	"slices"
	"strings"

	"github.com/pkictl/pkictl/internal/failure"
)

// CheckFlags says whether a kube-apiserver of that version would take the command
// line of the manifest: it knows each flag and admission plugin, can read each value,
// and none stands against another. A flag that stands twice is taken: the last counts.
// What is in files is not looked at. The error is of kind Usage.
func (m *Manifest) CheckFlags(v Version) error {
	if err := m.checkStray(); err != nil {
		return err
	}
	var flags []Flag
	at := map[string]int{} // of flags of which the last counts
	for _, f := range m.Flags() {
		known, err := Known(f.Name, v)
		if err != nil {
			return err
		}
		if err := cmp.Or(known.CheckValue(f.Value), checkItems(known, f.Value, v)); err != nil {
			return err
		}
		flag := Flag{Name: known.Name, Value: f.Value}
		if i, twice := at[known.Name]; twice && !known.takesSeveral() {
			flags[i] = flag
			continue
		}
		at[known.Name] = len(flags)
		flags = append(flags, flag)
	}
	return checkFlags(flags, v)
}

// checkItems refuses a list of admission plugins with a comma too many: it names a
// plugin without a name, which kube-apiserver does not know.
func checkItems(flag KnownFlag, value string, v Version) error {
	isPlugins := flag.Name == "enable-admission-plugins" || flag.Name == "disable-admission-plugins"
	if !isPlugins || value == "" || !slices.Contains(strings.Split(value, ","), "") {
		return nil
	}
	return failure.New(failure.Usage, "take a comma out", "kube-apiserver %s has no admission plugin %q: --%s=%s", v, "", flag.Name, value)
}

// checkStray finds words that are no flags and no values of flags: kube-apiserver
// takes no arguments (cmd/kube-apiserver/app: NewAPIServerCommand).
func (m *Manifest) checkStray() error {
	flags := m.Flags()
	next := m.programAt(m.words) + 1
	for i := next; i < len(m.words); i++ {
		if len(flags) > 0 && flags[0].from == i {
			i, flags = flags[0].to-1, flags[1:]
			continue
		}
		return failure.New(failure.Usage, "write a flag with its value as one item", "kube-apiserver takes no argument %q", m.words[i].value)
	}
	return nil
}
