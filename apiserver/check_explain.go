package apiserver

import (
	"fmt"
	"strings"

	"github.com/pkictl/pkictl/internal/shell"
)

// ExplainCheck returns the commands, for a POSIX shell, that show what
// CheckManifests goes by, as far as grep and stat can tell.
func ExplainCheck(o CheckOptions) (string, error) {
	selected, err := SelectChecks(o)
	if err != nil {
		return "", err
	}
	pods, err := readPods(o.Path)
	if err != nil {
		return "", err
	}
	c := &cisChecker{o: o, pods: pods}
	var b strings.Builder
	for _, check := range selected {
		p := c.pod(check.Component)
		if p == nil {
			continue
		}
		fmt.Fprintf(&b, "# %s %s, wanted: %s\n%s\n", check.ID, check.Title, check.Wanted, check.recipe(p))
	}
	return b.String(), nil
}

// recipe returns a command for a check.
func (c Check) recipe(p *checkedPod) string {
	file := shell.Quote(p.file)
	switch {
	case c.isAboutFile() && strings.HasPrefix(c.Title, "mode"):
		return "stat -c %a " + file
	case c.isAboutFile():
		return "stat -c %U:%G " + file
	}
	command := "grep -nE -e '--(" + strings.Join(c.flags, "|") + ")([= ]|$)' " + file + " || echo 'not set'"
	for _, flag := range c.flags {
		value, _ := p.value(flag)
		if path, found := p.running.HostPath(value); found && c.reads(flag) {
			command += "\n" + fileRecipe(flag, shell.Quote(path))
		}
	}
	return command
}

// reads says whether the check looks into the file that a flag names.
func (c Check) reads(flag string) bool {
	switch flag {
	case "audit-policy-file", "authentication-config", "authorization-config":
		return true
	case "encryption-provider-config":
		return c.ID == "1.2.28"
	}
	return false
}

// fileRecipe shows what a file says, without the keys in it.
func fileRecipe(flag, path string) string {
	switch flag {
	case "audit-policy-file":
		return "grep -nE 'level:|verbs:|resources:|group:|users:|userGroups:|namespaces:|omitStages:' " + path
	case "encryption-provider-config":
		// Words alone: keys may stand in the same line.
		return "grep -noE 'resources:|providers:|secrets|aescbc|aesgcm|secretbox|kms|identity' " + path
	case "authentication-config":
		return "grep -n -A 10 'anonymous:' " + path + " || echo 'it says nothing of anonymous requests'"
	default: // authorization-config
		return "grep -n 'type:' " + path
	}
}
