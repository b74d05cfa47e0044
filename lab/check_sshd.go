package lab

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/yamlfile"
	"github.com/pkictl/pkictl/lab/sshd"
)

// maxHostFile is more than a configuration of a host needs, in bytes.
const maxHostFile = 128 << 10

// readSSHDCheck reads the parameters of a check of a configuration of sshd:
//
//	file   the configuration, such as etc/ssh/sshd_config; what it includes is looked
//	       for in its directory, which stands for /etc/ssh
//	cases  a list of {user: NAME, host: NAME, address: ADDRESS, groups: [NAME],
//	       options: {KEYWORD: VALUE or [VALUE, ...]}}: what holds for a connection, or
//	       without the first four for none in particular; of several values each is right
//
// That sshd would start with it is part of it.
func readSSHDCheck(p *params) (grader, error) {
	c := &sshdCheck{params: p}
	err := p.fields(
		p.file("file", &c.file),
		yamlfile.Key{Name: "cases", Read: func(n *yaml.Node) error { return p.elements(n, "cases", c.readCase) }},
	)
	if err == nil {
		err = p.someOf(len(c.conditions), c.file)
	}
	return c.grade, err
}

type sshdCheck struct {
	*params
	file       string
	conditions []condition[*sshd.Config]
}

func (c *sshdCheck) grade(_ context.Context, w *work) finding {
	wanted := "a configuration in " + c.file + " that sshd starts with"
	if _, found := w.learner.file(c.file, maxHostFile); found != "" {
		return finding{wanted: wanted, found: found}
	}
	config, err := sshd.Read(c.files(w), "etc/ssh/"+path.Base(c.file))
	if err != nil {
		return finding{wanted: wanted, found: withHint(err)}
	}
	return judge(config, w, c.conditions)
}

// withHint says what is wrong, and what to do.
func withHint(err error) string {
	if hint := failure.HintOf(err); hint != "" {
		return err.Error() + " (" + hint + ")"
	}
	return err.Error()
}

// files are those that sshd would find: the directory of the configuration stands for
// /etc/ssh, and of others nothing is known.
func (c *sshdCheck) files(w *work) sshd.Files {
	dir := path.Dir(c.file)
	own := func(name string) (string, bool) {
		below, ok := strings.CutPrefix(name+"/", "etc/ssh/")
		return path.Join(dir, below), ok
	}
	return sshd.Files{
		Read: func(name string) ([]byte, error) {
			file, _ := own(name)
			data, found := w.learner.file(file, maxHostFile)
			if found != "" && !strings.HasSuffix(found, " is empty") {
				return nil, errors.New(found)
			}
			return data, nil
		},
		List: func(name string) []string {
			switch name {
			case "":
				return []string{"etc"}
			case "etc":
				return []string{"ssh"}
			}
			if file, ok := own(name); ok {
				return w.learner.list(file)
			}
			return nil
		},
	}
}

func (c *sshdCheck) readCase(n *yaml.Node) error {
	var connection sshd.Connection
	var options *yaml.Node
	err := c.Mapping(n, "a case",
		yamlfile.Key{Name: "user", Read: c.line("user", &connection.User)},
		yamlfile.Key{Name: "host", Read: c.line("host", &connection.Host)},
		yamlfile.Key{Name: "address", Read: c.line("address", &connection.Address)},
		yamlfile.Key{Name: "groups", Read: func(n *yaml.Node) (err error) { connection.Groups, err = c.Texts(n, "groups"); return err }},
		yamlfile.Key{Name: "options", Read: func(n *yaml.Node) error { options = n; return nil }},
	)
	if err != nil {
		return err
	}
	if _, perr := netip.ParseAddr(connection.Address); connection.Address != "" && perr != nil {
		return c.ErrorAt(n, "write it like 10.0.0.5", "%q is no address", connection.Address)
	}
	if options == nil || len(options.Content) == 0 {
		return c.ErrorAt(n, "write options: {PermitRootLogin: no}", "a case asks for no options")
	}
	who := &connection
	if connection.User+connection.Host+connection.Address == "" && len(connection.Groups) == 0 {
		who = nil
	}
	return c.Entries(options, "options", func(key, value *yaml.Node) error {
		condition, err := c.option(key, value, who)
		c.conditions = append(c.conditions, condition)
		return err
	})
}

func (c *sshdCheck) option(key, value *yaml.Node, who *sshd.Connection) (condition[*sshd.Config], error) {
	name, ok := sshd.Keyword(key.Value)
	if !ok {
		return nil, c.ErrorAt(key, "see sshd_config(5)", "sshd knows no keyword %q", key.Value)
	}
	nodes := []*yaml.Node{value}
	if value.Kind == yaml.SequenceNode {
		nodes = value.Content
	}
	var want []string
	for _, n := range nodes {
		normal, ok := sshd.Normal(name, n.Value) // no and 3 need no quotes here
		if n.Kind != yaml.ScalarNode || !ok {
			return nil, c.ErrorAt(n, "see sshd_config(5)", "%s cannot be %q", name, n.Value)
		}
		want = append(want, normal)
	}
	about := ""
	if who != nil {
		about = fmt.Sprintf(" for %s from %s", orAnybody(who.User), orAnybody(who.Address))
	}
	return func(config *sshd.Config, _ *work) (string, string, bool) {
		is := config.Value(name, who)
		found := name + " is " + is
		if is == "" {
			found = name + " is not set"
		}
		return name + " " + strings.Join(want, " or ") + about, found + about, slices.ContainsFunc(want, func(w string) bool { return sameWords(w, is) })
	}, nil
}

func orAnybody(name string) string {
	if name == "" {
		return "anybody"
	}
	return name
}

// sameWords compares values of which some are sets of words.
func sameWords(a, b string) bool {
	return slices.Equal(slices.Sorted(slices.Values(strings.Fields(a))), slices.Sorted(slices.Values(strings.Fields(b))))
}
