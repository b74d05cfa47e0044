package lab

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
	"github.com/pkictl/pkictl/internal/yamlfile"
)

// What a lab.yaml begins with.
const (
	apiVersion = "pkictl.dev/v1"
	kindLab    = "Lab"
)

const labFile = "lab.yaml"

const loadHint = "see examples/labs in pkictl's sources for labs that work"

// Read reads a lab from its directory: lab.yaml, in which what is not understood is
// an error that names the line; start, the files that a workspace begins with;
// solution/tools.sh, solution/pkictl.sh and solution/second.sh; and a script below
// mutants for each mutant. All but lab.yaml may be missing. The directory's name is
// the lab's ID, and dir what errors call the directory.
func Read(files fs.FS, id, dir string) (*Lab, error) {
	if !isID(id) {
		return nil, failure.New(failure.Usage, "call its directory like rbac-least-privilege: small letters, digits and -", "%q is no name for a lab", id)
	}
	data, err := readGiven(files, labFile, dir, store.MaxYAML)
	if err != nil {
		return nil, err
	}
	lab, err := parse(data, files, id, path.Join(dir, labFile))
	if err != nil {
		return nil, err
	}
	if err := lab.readScripts(dir); err != nil {
		return nil, err
	}
	given, err := lab.givenFiles()
	if err != nil {
		return nil, err
	}
	if err := lab.checkIssued(given); err != nil {
		return nil, err
	}
	for _, name := range lab.asked {
		if _, err := readGiven(files, path.Join(startDir, name), dir, maxGivenFile); err != nil {
			return nil, failure.Wrap(err, failure.Usage, "a check of it asks for the file as the lab gives it", "lab %q", id)
		}
	}
	return lab, nil
}

// isID says whether a text may name a lab, a check or a mutant: they become names
// of files, and words of a command.
func isID(text string) bool {
	if len(text) > 63 {
		return false
	}
	for word := range strings.SplitSeq(text, "-") {
		if word == "" || strings.Trim(word, "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
			return false
		}
	}
	return true
}

// reader reads a lab.yaml.
type reader struct {
	yamlfile.File
	lab *Lab
}

// parse reads a lab.yaml, whose name is for errors, and those of the files beside it
// that its checks name.
func parse(data []byte, files fs.FS, id, name string) (*Lab, error) {
	r := &reader{File: yamlfile.File{Name: name, Hint: loadHint}, lab: &Lab{ID: id, given: files}}
	root, err := r.Root(data)
	if err != nil {
		return nil, err
	}
	if err := r.Check(root); err != nil {
		return nil, err
	}
	if err := r.read(root); err != nil {
		return nil, err
	}
	return r.lab, nil
}

// required are the fields that no lab can do without.
var required = [...]string{"apiVersion", "kind", "title", "domain", "minutes", "scenario", "tasks", "checks"}

func (r *reader) read(root *yaml.Node) error {
	for _, name := range required {
		if root.Kind == yaml.MappingNode && yamlfile.Field(root, name) == nil {
			return r.ErrorAt(root, "begin with apiVersion: "+apiVersion+" and kind: "+kindLab+", and give it "+strings.Join(required[2:], ", "),
				"there is no field %q", name)
		}
	}
	l := r.lab
	var checks, mutants, cluster *yaml.Node
	err := r.Mapping(root, "the lab",
		yamlfile.Key{Name: "apiVersion", Read: r.constant(apiVersion)},
		yamlfile.Key{Name: "kind", Read: r.constant(kindLab)},
		yamlfile.Key{Name: "number", Read: r.number("number", &l.Number, 9999)},
		yamlfile.Key{Name: "title", Read: r.line("title", &l.Title)},
		yamlfile.Key{Name: "domain", Read: r.domain},
		yamlfile.Key{Name: "minutes", Read: r.number("minutes", &l.Minutes, 120)},
		yamlfile.Key{Name: "needs", Read: r.needs},
		yamlfile.Key{Name: "cluster", Read: func(n *yaml.Node) error { cluster = n; return nil }},
		yamlfile.Key{Name: "scenario", Read: r.paragraph("scenario", &l.Scenario)},
		yamlfile.Key{Name: "tasks", Read: r.paragraphs("tasks", &l.Tasks)},
		yamlfile.Key{Name: "hints", Read: r.paragraphs("hints", &l.Hints)},
		yamlfile.Key{Name: "checks", Read: func(n *yaml.Node) error { checks = n; return nil }},
		yamlfile.Key{Name: "mutants", Read: func(n *yaml.Node) error { mutants = n; return nil }},
	)
	if err != nil {
		return err
	}
	if err := r.readCluster(cluster); err != nil { // which is among the needs
		return err
	}
	if err := r.readChecks(checks); err != nil { // they name tasks
		return err
	}
	return r.readMutants(mutants) // and these name checks
}

func (r *reader) constant(want string) func(*yaml.Node) error {
	return func(n *yaml.Node) error {
		if n.Kind != yaml.ScalarNode || n.Value != want {
			return r.ErrorAt(n, "write "+want, "%q is not what this version of pkictl reads", n.Value)
		}
		return nil
	}
}

// number reads a number from 1.
func (r *reader) number(what string, to *int, max int) func(*yaml.Node) error {
	return func(n *yaml.Node) (err error) {
		if *to, err = r.Number(n, what, max); err == nil && *to == 0 {
			err = r.ErrorAt(n, fmt.Sprintf("write a number from 1 to %d", max), "%s is 0", what)
		}
		return err
	}
}

// line reads a text of one line.
func (r *reader) line(what string, to *string) func(*yaml.Node) error {
	return func(n *yaml.Node) (err error) {
		if *to, err = r.Text(n, what); err == nil && strings.Contains(*to, "\n") {
			err = r.ErrorAt(n, "write one line", "%s has several lines", what)
		}
		return err
	}
}

// paragraph reads a text of any number of lines.
func (r *reader) paragraph(what string, to *string) func(*yaml.Node) error {
	return func(n *yaml.Node) error {
		text, err := r.Text(n, what)
		*to = strings.TrimSpace(text)
		if err == nil && *to == "" {
			err = r.ErrorAt(n, "write what is to be done", "%s is blank", what)
		}
		return err
	}
}

// maxElements is how many tasks, hints, checks or mutants a lab may have.
const maxElements = 100

func (r *reader) paragraphs(what string, to *[]string) func(*yaml.Node) error {
	return func(n *yaml.Node) error {
		if len(n.Content) > maxElements {
			return r.ErrorAt(n, "make several labs of it", "%s has more than %d elements", what, maxElements)
		}
		return r.List(n, what, func(n *yaml.Node, _ string) error {
			var text string
			err := r.paragraph("an element of "+what, &text)(n)
			*to = append(*to, text)
			return err
		})
	}
}

func (r *reader) domain(n *yaml.Node) error {
	id, err := r.Text(n, "domain")
	if err != nil {
		return err
	}
	if _, ok := DomainNamed(id); !ok {
		var known []string
		for _, domain := range Domains() {
			known = append(known, domain.ID)
		}
		return r.ErrorAt(n, failure.Suggest(id, known), "there is no domain %q", id)
	}
	r.lab.Domain = id
	return nil
}

func (r *reader) needs(n *yaml.Node) error {
	return r.List(n, "needs", func(n *yaml.Node, need string) error {
		if !slices.Contains(Needs(), need) {
			return r.ErrorAt(n, failure.Suggest(need, Needs()), "%q is nothing that a lab can need", need)
		}
		r.lab.Needs = append(r.lab.Needs, need)
		return nil
	})
}

// id reads what names a check or a mutant.
func (r *reader) id(what string, to *string) func(*yaml.Node) error {
	return func(n *yaml.Node) (err error) {
		if *to, err = r.Text(n, "the id of "+what); err == nil && !isID(*to) {
			err = r.ErrorAt(n, "write small letters, digits and - between them", "%q is no id for %s", *to, what)
		}
		return err
	}
}

// elements reads a list of mappings.
func (r *reader) elements(n *yaml.Node, what string, read func(*yaml.Node) error) error {
	if n.Kind != yaml.SequenceNode || len(n.Content) == 0 {
		return r.ErrorAt(n, "write - id: NAME with its fields below it", "%s is not a list of at least one", what)
	}
	if len(n.Content) > maxElements {
		return r.ErrorAt(n, "make several labs of it", "%s has more than %d elements", what, maxElements)
	}
	for _, element := range n.Content {
		if err := read(element); err != nil {
			return err
		}
	}
	return nil
}

// need says which of its fields a mapping lacks.
func (r *reader) need(n *yaml.Node, what string, names ...string) error {
	for _, name := range names {
		if n.Kind == yaml.MappingNode && yamlfile.Field(n, name) == nil {
			return r.ErrorAt(n, "give it "+strings.Join(names, ", "), "%s has no field %q", what, name)
		}
	}
	return nil
}

func (r *reader) readChecks(list *yaml.Node) error {
	return r.elements(list, "checks", func(n *yaml.Node) error {
		if err := r.need(n, "a check", "id", "name", "kind", "points", "task", "with"); err != nil {
			return err
		}
		var check Check
		var with *yaml.Node
		var kind kind
		err := r.Mapping(n, "a check",
			yamlfile.Key{Name: "id", Read: r.id("a check", &check.ID)},
			yamlfile.Key{Name: "name", Read: r.line("name", &check.Name)},
			yamlfile.Key{Name: "kind", Read: func(n *yaml.Node) (err error) { kind, err = r.kind(n); return err }},
			yamlfile.Key{Name: "points", Read: r.number("points", &check.Points, 100)},
			yamlfile.Key{Name: "task", Read: r.number("task", &check.Task, len(r.lab.Tasks))},
			yamlfile.Key{Name: "with", Read: func(n *yaml.Node) error { with = n; return nil }},
		)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(r.lab.Checks, func(c Check) bool { return c.ID == check.ID }) {
			return r.ErrorAt(n, "give it another id", "there are two checks %q", check.ID)
		}
		check.Kind = kind.name
		grader, err := kind.read(&params{reader: r, node: with, what: "with of " + check.ID})
		r.lab.Checks, r.lab.graders = append(r.lab.Checks, check), append(r.lab.graders, grader)
		return err
	})
}

func (r *reader) readMutants(list *yaml.Node) error {
	if list == nil {
		return nil
	}
	return r.elements(list, "mutants", func(n *yaml.Node) error {
		if err := r.need(n, "a mutant", "id", "mistake", "loses"); err != nil {
			return err
		}
		var mutant Mutant
		err := r.Mapping(n, "a mutant",
			yamlfile.Key{Name: "id", Read: r.id("a mutant", &mutant.ID)},
			yamlfile.Key{Name: "mistake", Read: r.line("mistake", &mutant.Mistake)},
			yamlfile.Key{Name: "loses", Read: r.loses(&mutant)},
		)
		if err == nil && slices.ContainsFunc(r.lab.Mutants, func(m Mutant) bool { return m.ID == mutant.ID }) {
			err = r.ErrorAt(n, "give it another id", "there are two mutants %q", mutant.ID)
		}
		r.lab.Mutants = append(r.lab.Mutants, mutant)
		return err
	})
}

func (r *reader) loses(m *Mutant) func(*yaml.Node) error {
	return func(n *yaml.Node) error {
		return r.List(n, "loses", func(n *yaml.Node, id string) error {
			var known []string
			for _, check := range r.lab.Checks {
				known = append(known, check.ID)
			}
			if !slices.Contains(known, id) {
				return r.ErrorAt(n, failure.Suggest(id, known), "there is no check %q", id)
			}
			m.Loses = append(m.Loses, id)
			return nil
		})
	}
}
