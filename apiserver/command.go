package apiserver

import (
	"slices"
	"strings"

	"github.com/pkictl/pkictl/internal/failure"
)

// Apply returns a command of kube-apiserver with the change made: flags in their
// places, new ones at the end. Values that stand in a word of their own are
// joined to their flag. It is checked by checkReplaces before, and by checkFlags after.
func (p *Plan) Apply(command []string) ([]string, error) {
	flags, err := p.parseCommand(command[1:])
	if err != nil {
		return nil, err
	}
	err = p.checkReplaces(func(name string) (string, bool) {
		at := slices.IndexFunc(flags, func(f Flag) bool { return f.Name == name })
		if at < 0 {
			return "", false
		}
		return flags[at].Value, true
	})
	if err != nil {
		return nil, err
	}
	flags = slices.DeleteFunc(flags, func(f Flag) bool { return slices.Contains(p.Remove, f.Name) })
	for _, set := range p.Set {
		at := slices.IndexFunc(flags, func(f Flag) bool { return f.Name == set.Name })
		switch {
		case at < 0:
			flags = append(flags, Flag{Name: set.Name, Value: set.Value})
		case set.Add:
			flags[at].Value = strings.Join(unique(append(strings.Split(flags[at].Value, ","), strings.Split(set.Value, ",")...)), ",")
		default:
			flags[at].Value = set.Value
			rest := slices.DeleteFunc(flags[at+1:], func(f Flag) bool { return f.Name == set.Name })
			flags = flags[:at+1+len(rest)]
		}
	}
	if err := checkFlags(flags, p.Version); err != nil {
		return nil, err
	}
	words := command[:1:1]
	for _, flag := range flags {
		words = append(words, flag.String())
	}
	return words, nil
}

// parseCommand reads flags as pflag does: --name=value, --name value, and --name
// alone for a boolean.
func (p *Plan) parseCommand(words []string) ([]Flag, error) {
	var flags []Flag
	for i := 0; i < len(words); i++ {
		text, isFlag := strings.CutPrefix(words[i], "--")
		if short, isShort := strings.CutPrefix(words[i], "-v"); !isFlag && isShort && (short == "" || short[0] == '=') {
			text, isFlag = "v"+short, true
		}
		if !isFlag {
			return nil, failure.New(failure.Usage, "write flags as --name=value", "%q is no flag of kube-apiserver", words[i])
		}
		name, value, hasValue := strings.Cut(text, "=")
		name = normal(name)
		if !hasValue {
			known, err := Known(name, p.Version)
			switch {
			case err != nil:
				return nil, err
			case known.Type == TypeBool:
				value = "true"
			case i+1 < len(words):
				i++
				value = words[i]
			}
		}
		flags = append(flags, Flag{Name: name, Value: value})
	}
	return flags, nil
}
