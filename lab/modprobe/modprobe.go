// Package modprobe reads the configuration of modprobe, modprobe.d, as kmod does
// (libkmod/libkmod-config.c), without kmod.
package modprobe

import (
	"cmp"
	"path"
	"slices"
	"strings"
)

// File is one of modprobe.d: its name, and what is in it.
type File struct {
	Name string
	Data []byte
}

// Config is what all files say together.
type Config struct {
	blacklist []string
	install   []command
	// Ignored are the lines that kmod does not understand, as file and line with them.
	Ignored []string
}

// command is what is run in the place of a module.
type command struct{ module, text string }

// maxLines is more than any configuration needs.
const maxLines = 20000

// Read reads files. kmod takes those whose names end in .conf, in the order of their
// names, whatever the order in which they are given.
func Read(files ...File) *Config {
	c := &Config{}
	files = slices.Clone(files)
	slices.SortStableFunc(files, func(a, b File) int { return cmp.Compare(path.Base(a.Name), path.Base(b.Name)) })
	lines := 0
	for _, file := range files {
		if !strings.HasSuffix(file.Name, ".conf") {
			continue
		}
		for _, line := range joined(string(file.Data)) {
			if lines++; lines > maxLines {
				return c
			}
			c.line(file.Name, line)
		}
	}
	return c
}

// joined returns lines; a \ at the end of one joins the next to it (getline_wrapped).
func joined(text string) []string {
	var all []string
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '\\' && i+1 < len(text) && text[i+1] == '\n':
			i++
		case text[i] == '\n':
			all = append(all, b.String())
			b.Reset()
		default:
			b.WriteByte(text[i])
		}
	}
	return append(all, b.String())
}

func (c *Config) line(file, line string) {
	if line == "" || line[0] == '#' {
		return
	}
	const blanks = " \t"
	words := strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(blanks, r) })
	if len(words) == 0 {
		return
	}
	switch {
	case words[0] == "blacklist" && len(words) > 1:
		c.blacklist = append(c.blacklist, underscores(words[1]))
	case words[0] == "install" && len(words) > 1:
		rest := strings.TrimLeft(strings.TrimPrefix(strings.TrimLeft(line, blanks), words[0]), blanks)
		if rest = strings.TrimPrefix(rest, words[1]); len(rest) > 1 {
			c.install = append(c.install, command{underscores(words[1]), rest[1:]})
		} else {
			c.Ignored = append(c.Ignored, file+": "+line)
		}
	case slices.Contains([]string{"alias", "options", "remove", "softdep"}, words[0]) && len(words) > 2:
	default:
		c.Ignored = append(c.Ignored, file+": "+line)
	}
}

// underscores makes of - in the name of a module _, but in brackets, for the name may
// be a pattern.
func underscores(name string) string {
	b := []byte(name)
	in := false
	for i := range b {
		switch {
		case b[i] == '[':
			in = true
		case b[i] == ']':
			in = false
		case b[i] == '-' && !in:
			b[i] = '_'
		}
	}
	return string(b)
}

// Blacklisted says whether a module is not loaded by one of its aliases, as when a
// program opens a socket of its protocol. By its name, modprobe loads it nevertheless.
func (c *Config) Blacklisted(module string) bool {
	return slices.Contains(c.blacklist, underscores(module))
}

// Install returns the command that is run in the place of loading a module, and whether
// there is one: the first whose pattern matches (kmod_module_get_install_commands).
func (c *Config) Install(module string) (string, bool) {
	for _, command := range c.install {
		if ok, err := path.Match(command.module, underscores(module)); ok && err == nil {
			return command.text, true
		}
	}
	return "", false
}

// Blacklist returns the modules of all lines blacklist.
func (c *Config) Blacklist() []string { return slices.Clone(c.blacklist) }
