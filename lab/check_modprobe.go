package lab

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/pkictl/pkictl/internal/yamlfile"
	"github.com/pkictl/pkictl/lab/modprobe"
)

// readModprobeCheck reads the parameters of a check of a directory modprobe.d:
//
//	dir        the directory, such as etc/modprobe.d
//	blacklist  modules that are not to be loaded by an alias
//	install    modules in whose place a command is run that loads nothing: false or true
//	keeps      modules that nothing is to be in the way of
func readModprobeCheck(p *params) (grader, error) {
	dir := ""
	var conditions []condition[*modprobe.Config]
	modules := func(what string, one func(string) condition[*modprobe.Config]) yamlfile.Key {
		return yamlfile.Key{Name: what, Read: func(n *yaml.Node) error {
			return p.List(n, what, func(_ *yaml.Node, module string) error {
				conditions = append(conditions, one(module))
				return nil
			})
		}}
	}
	err := p.fields(p.file("dir", &dir), modules("blacklist", blacklisted), modules("install", notInstalled), modules("keeps", loadable))
	if err == nil && (dir == "" || len(conditions) == 0) {
		err = p.ErrorAt(p.node, "write it like {dir: etc/modprobe.d, blacklist: [sctp]}", "%s asks for nothing", p.what)
	}
	return func(_ context.Context, w *work) finding {
		var files []modprobe.File
		for _, name := range w.learner.list(dir) {
			if !strings.HasSuffix(name, ".conf") {
				continue
			}
			data, found := w.learner.file(path.Join(dir, name), maxHostFile)
			if found != "" && !strings.HasSuffix(found, " is empty") {
				return finding{wanted: "files in " + dir + " that can be read", found: found}
			}
			files = append(files, modprobe.File{Name: name, Data: data})
		}
		if len(files) == 0 {
			return finding{wanted: "files in " + dir + " whose names end in .conf", found: "none"}
		}
		return judge(modprobe.Read(files...), w, conditions)
	}, err
}

func blacklisted(module string) condition[*modprobe.Config] {
	return func(c *modprobe.Config, _ *work) (string, string, bool) {
		return "module " + module + " is blacklisted", "what is blacklisted in files *.conf: " + notCarriage(list(c.Blacklist())) + misread(c), c.Blacklisted(module)
	}
}

// notCarriage shows the line ends of Windows.
func notCarriage(text string) string {
	shown := strings.ReplaceAll(text, "\r", `\r`)
	if shown != text {
		shown += ` (modprobe takes \r, from line ends of Windows, for a part of the word)`
	}
	return shown
}

// misread adds the first line that modprobe does not understand.
func misread(c *modprobe.Config) string {
	if len(c.Ignored) == 0 {
		return ""
	}
	return "; modprobe does not understand " + notCarriage(c.Ignored[0])
}

func notInstalled(module string) condition[*modprobe.Config] {
	return func(c *modprobe.Config, _ *work) (string, string, bool) {
		wanted := "in the place of module " + module + " /bin/false or /bin/true is run"
		command, there := c.Install(module)
		if !there {
			return wanted, "modprobe " + module + " loads it: there is no install line" + misread(c), false
		}
		return wanted, "it runs " + notCarriage(command), loadsNothing(command)
	}
}

// loadsNothing says whether a command of an install line is one of those that do
// nothing. It goes to a shell, which takes what follows a # for a comment.
func loadsNothing(command string) bool {
	words := strings.Fields(command)
	if strings.Contains(command, "\r") || len(words) == 0 || len(words) > 1 && !strings.HasPrefix(words[1], "#") {
		return false
	}
	return slices.Contains([]string{"/bin/false", "/bin/true", "/usr/bin/false", "/usr/bin/true", "false", "true"}, words[0])
}

func loadable(module string) condition[*modprobe.Config] {
	return func(c *modprobe.Config, _ *work) (string, string, bool) {
		_, replaced := c.Install(module)
		return fmt.Sprintf("module %s can be loaded", module), fmt.Sprintf("module %s is blocked", module), !replaced && !c.Blacklisted(module)
	}
}
