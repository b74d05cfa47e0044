package apiserver

import (
	"fmt"
	"strings"

	"github.com/pkictl/pkictl/internal/failure"
)

// argumentsVariable is what a unit has to name behind its own flags where the
// drop-in is made without it.
const argumentsVariable = "KUBE_APISERVER_EXTRA_ARGS"

// systemd writes a drop-in for kube-apiserver.service. A drop-in cannot add to a
// command, only replace it (systemd.service(5), ExecStart=): with the unit it has
// all of the command, without it a variable that the command has to name.
func (p *Plan) systemd(unit []byte) ([]byte, error) {
	var b strings.Builder
	b.WriteString("# Save as /etc/systemd/system/kube-apiserver.service.d/50-pkictl.conf, then:\n#   systemctl daemon-reload && systemctl restart kube-apiserver\n")
	title := "[Unit]\n"
	for _, f := range p.Files {
		if !f.Dir {
			fmt.Fprintf(&b, "%sAssertPathExists=%s\n", title, specifiers(f.Path))
			title = ""
		}
	}
	b.WriteString("[Service]\n")
	for _, f := range p.Files {
		if f.Dir {
			fmt.Fprintf(&b, "ExecStartPre=+/bin/mkdir -p -m %04o %s\n", f.Mode.Perm(), systemdQuote(f.Path))
		}
	}
	for _, v := range p.Volumes {
		// For units with ProtectSystem=; a path that is not there yet is no error.
		if !v.ReadOnly {
			fmt.Fprintf(&b, "ReadWritePaths=%s\n", systemdPath("-"+v.Path))
		}
	}
	if unit == nil {
		return []byte(b.String() + p.systemdVariable()), nil
	}
	command, err := unitCommand(unit)
	if err != nil {
		return nil, err
	}
	words, err := p.Apply(command)
	if err != nil {
		return nil, err
	}
	b.WriteString("ExecStart=\nExecStart=")
	for i, word := range words {
		if i > 0 {
			b.WriteString(" \\\n  ")
		}
		b.WriteString(systemdQuote(word))
	}
	b.WriteByte('\n')
	return []byte(b.String()), nil
}

// systemdVariable is for a unit that is not known. Quotes within are those of
// the command line that the variable is split into (systemd.service(5)).
func (p *Plan) systemdVariable() string {
	var words []string
	for _, flag := range p.Set {
		word := flag.String()
		if strings.ContainsAny(word, " \t'\"\\") {
			word = "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(word) + "'"
		}
		words = append(words, word)
	}
	var b strings.Builder
	if len(p.Remove) > 0 {
		b.WriteString("# Flags that must not be in the unit: --" + strings.Join(p.Remove, ", --") + "\n")
	}
	fmt.Fprintf(&b, "# ExecStart= of the unit has to end in $%s; flags that it has itself count twice.\n", argumentsVariable)
	b.WriteString("# With --unit FILE the drop-in has the whole command instead.\n")
	fmt.Fprintf(&b, "Environment=\"%s=%s\"\n", argumentsVariable, strings.NewReplacer(`\`, `\\`, `"`, `\"`, `%`, `%%`).Replace(strings.Join(words, " ")))
	return b.String()
}

// specifiers has systemd take % as it is.
func specifiers(s string) string { return strings.ReplaceAll(s, "%", "%%") }

// systemdPath quotes a path for a setting that takes several.
func systemdPath(path string) string {
	if strings.ContainsAny(path, " \t\"'\\") {
		return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(specifiers(path)) + `"`
	}
	return specifiers(path)
}

// systemdQuote quotes a word of a command line (systemd.service(5), Command lines).
func systemdQuote(word string) string {
	word = strings.NewReplacer("%", "%%", "$", "$$").Replace(word)
	if word != "" && !strings.ContainsAny(word, " \t\"'\\;") {
		return word
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(word) + `"`
}

// unitCommand returns the words of the last ExecStart= of a unit.
func unitCommand(unit []byte) ([]string, error) {
	hint := "name the unit that starts kube-apiserver: systemctl cat kube-apiserver shows it"
	section, command := "", ""
	for _, line := range unitLines(string(unit)) {
		if strings.HasPrefix(line, "[") {
			section = line
		}
		key, value, found := strings.Cut(line, "=")
		if found && section == "[Service]" && strings.TrimSpace(key) == "ExecStart" {
			command = strings.TrimSpace(value)
		}
	}
	if command == "" {
		return nil, failure.New(failure.Usage, hint, "the unit has no ExecStart= in [Service]")
	}
	words, err := unitWords(command)
	if err != nil {
		return nil, err
	}
	program := words[0][strings.LastIndex(words[0], "/")+1:]
	if program != Component {
		return nil, failure.New(failure.Usage, hint, "the unit starts %q, not %s", program, Component)
	}
	return words, nil
}

// unitLines returns the lines of a unit without comments; one that ends in a
// backslash goes on in the next (systemd.syntax(7)).
func unitLines(text string) []string {
	var lines []string
	var open strings.Builder
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		trimmed := strings.TrimSpace(line)
		if strings.HasPrefix(trimmed, "#") || strings.HasPrefix(trimmed, ";") {
			continue // also within a line that goes on
		}
		if before, goesOn := strings.CutSuffix(line, `\`); goesOn {
			open.WriteString(before + " ")
			continue
		}
		open.WriteString(line)
		lines = append(lines, strings.TrimSpace(open.String()))
		open.Reset()
	}
	return append(lines, strings.TrimSpace(open.String()))
}

// unitWords splits a command line. What systemd replaces is left as it is by
// refusing it: written anew it would mean something else.
func unitWords(command string) ([]string, error) {
	var words []string
	var word strings.Builder
	quote, inWord := rune(0), false
	runes := []rune(command)
	for i := 0; i < len(runes); i++ {
		r := runes[i]
		switch {
		case r == '\\' && i+1 < len(runes) && strings.ContainsRune(`\"' `, runes[i+1]):
			i++
			word.WriteRune(runes[i])
			inWord = true
		case r == '\\', r == '$' && !doubled(runes, &i), r == '%' && !doubled(runes, &i):
			return nil, failure.New(failure.Usage, "write the value out in the unit, or make the drop-in without --unit", "ExecStart= of the unit has %q, which systemd replaces", string(r))
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '"' || r == '\''):
			quote, inWord = r, true
		case quote == 0 && (r == ' ' || r == '\t'):
			if inWord {
				words = append(words, word.String())
			}
			word.Reset()
			inWord = false
		default:
			word.WriteRune(r)
			inWord = true
		}
	}
	if quote != 0 {
		return nil, failure.New(failure.Usage, "close it", "ExecStart= of the unit has a quote that does not end")
	}
	if inWord {
		words = append(words, word.String())
	}
	return words, nil
}

// doubled says whether the next rune is the same, and steps over it: $$ is $.
func doubled(runes []rune, i *int) bool {
	if *i+1 < len(runes) && runes[*i+1] == runes[*i] {
		*i++
		return true
	}
	return false
}
