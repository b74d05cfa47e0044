package lab

import (
	"context"
	"path"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/kubeclient"
	"github.com/pkictl/pkictl/internal/yamlfile"
)

func (r *reader) kind(n *yaml.Node) (kind, error) {
	name, err := r.Text(n, "kind")
	if err != nil {
		return kind{}, err
	}
	for _, k := range kinds() {
		if k.name == name {
			return k, nil
		}
	}
	return kind{}, r.ErrorAt(n, failure.Suggest(name, CheckKinds()), "there is no kind of check %q", name)
}

// grader looks at a learner's work. It only reads, and what it needs is in work.
type grader func(ctx context.Context, w *work) finding

// finding is what a grader says.
type finding struct {
	passed        bool
	wanted, found string
}

// work is what a grader may look at: the learner's files, the lab's own, the time, and
// what the machine has.
type work struct {
	learner *learner
	lab     *Lab
	now     time.Time
	machine *Machine
	admin   *kubeclient.Client // of the lab's cluster; cluster() returns it
	// adminDown is why there is none, once that is known.
	adminDown string
	nginx     map[string]nginxResult // by the file of the configuration
}

// grade grades a workspace's files.
func (l *Lab) grade(ctx context.Context, w *work) (*Result, error) {
	defer w.closeNginx()
	result := &Result{Lab: l.ID, Total: l.Points()}
	for i, check := range l.Checks {
		f := l.graders[i](ctx, w)
		if err := ctx.Err(); err != nil { // what it found is that it was ended
			return nil, err
		}
		if f.passed {
			result.Points += check.Points
		}
		result.Checks = append(result.Checks, CheckResult{check, f.passed, oneLine(f.wanted), oneLine(f.found)})
	}
	return result, nil
}

// maxFinding is how long what was wanted or found may be, in runes.
const maxFinding = 400

// oneLine makes of what a learner's file says a line of reasonable length.
func oneLine(text string) string {
	text = strings.Join(strings.Fields(strings.ToValidUTF8(text, "\uFFFD")), " ")
	if runes := []rune(text); len(runes) > maxFinding {
		return string(runes[:maxFinding]) + "…"
	}
	return text
}

// params are the parameters of a check.
type params struct {
	*reader
	node *yaml.Node
	what string // the mapping, in words
}

// fields reads all of them.
func (p *params) fields(keys ...yamlfile.Key) error { return p.Mapping(p.node, p.what, keys...) }

// file reads the name of a file in the workspace.
func (p *params) file(what string, to *string) yamlfile.Key {
	return yamlfile.Key{Name: what, Read: func(n *yaml.Node) error {
		name, err := p.Text(n, what)
		if err == nil && !isFileName(name) {
			err = p.ErrorAt(n, "write a name below the workspace, as in pki/ca.crt", "%q is no file in the workspace", name)
		}
		*to = name
		return err
	}}
}

// given reads the name of a file that the lab begins with. A check takes it from the
// lab: what the learner has in its place does not count.
func (p *params) given(what string, to *string) yamlfile.Key {
	key := p.file(what, to)
	read := key.Read
	key.Read = func(n *yaml.Node) error {
		err := read(n)
		p.lab.asked = append(p.lab.asked, *to)
		return err
	}
	return key
}

// hidden reads a file of the lab that the learner is not given, below hidden in its
// directory: recorded events, a table of requests.
func (p *params) hidden(what string, to *[]byte) yamlfile.Key {
	return yamlfile.Key{Name: what, Read: func(n *yaml.Node) error {
		name, err := p.Text(n, what)
		if err == nil && !isFileName(name) {
			err = p.ErrorAt(n, "write a name below hidden in the lab's directory", "%q is no such file", name)
		}
		if err != nil {
			return err
		}
		*to, err = readGiven(p.lab.given, path.Join(hiddenDir, name), p.lab.ID, maxGivenFile)
		return p.At(n, err)
	}}
}

// onlyTrue reads a parameter that is true or left out.
func (p *params) onlyTrue(what string, to *bool) yamlfile.Key {
	return yamlfile.Key{Name: what, Read: func(n *yaml.Node) error {
		err := p.isTrue(n, what)
		*to = err == nil
		return err
	}}
}

// isTrue reads a parameter that is true, or left out.
func (p *params) isTrue(n *yaml.Node, what string) error {
	is, err := p.Boolean(n, what)
	if err == nil && !is {
		err = p.ErrorAt(n, "write true, or leave it out", "%s is false", what)
	}
	return err
}

// condition is one thing that a check asks of a T: what is wanted, what was found
// in its stead, and whether it holds.
type condition[T any] func(it T, w *work) (wanted, found string, ok bool)

// judge asks for all conditions.
func judge[T any](it T, w *work, conditions []condition[T]) finding {
	var wanted, failed, found []string
	for _, c := range conditions {
		want, is, ok := c(it, w)
		wanted = append(wanted, want)
		if !ok {
			failed, found = append(failed, want), append(found, is)
		}
	}
	if len(failed) == 0 {
		return finding{true, strings.Join(wanted, "; "), "as wanted"}
	}
	return finding{false, strings.Join(failed, "; "), strings.Join(found, "; ")}
}

// add appends a condition that was read.
func add[T any](list *[]condition[T], name string, read func(n *yaml.Node) (condition[T], error)) yamlfile.Key {
	return yamlfile.Key{Name: name, Read: func(n *yaml.Node) error {
		c, err := read(n)
		*list = append(*list, c)
		return err
	}}
}

// someOf says that a check asks for nothing.
func (p *params) someOf(count int, file string) error {
	switch {
	case file == "":
		return p.ErrorAt(p.node, "name it, as in file: ca.crt", "%s has no field %q", p.what, "file")
	case count == 0:
		return p.ErrorAt(p.node, "ask for something beside the file", "%s asks for nothing", p.what)
	}
	return nil
}
