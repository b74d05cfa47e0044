package lab

import (
	"encoding/json"
	"fmt"
	"path"

	"go.yaml.in/yaml/v3"

	"github.com/pkictl/pkictl/internal/yamlfile"
)

// maxRows is more than any hidden table needs.
const maxRows = 500

// table reads a hidden table of a check: a file of YAML with a list of mappings.
// Errors name its own lines.
func (p *params) table(what string, read func(f yamlfile.File, row *yaml.Node) error) yamlfile.Key {
	var data []byte
	key := p.hidden(what, &data)
	open := key.Read
	key.Read = func(n *yaml.Node) error {
		if err := open(n); err != nil {
			return err
		}
		f, root, err := p.hiddenRoot(n.Value, data)
		if err != nil {
			return err
		}
		if root.Kind != yaml.SequenceNode || len(root.Content) == 0 || len(root.Content) > maxRows {
			return f.ErrorAt(root, "write - what: WORDS with its fields below it, for each", "it is not a list of 1 to %d", maxRows)
		}
		for _, row := range root.Content {
			if err := read(f, row); err != nil {
				return err
			}
		}
		return nil
	}
	return key
}

// hiddenRoot returns the root of what a hidden file of that name holds in YAML or JSON.
func (p *params) hiddenRoot(name string, data []byte) (yamlfile.File, *yaml.Node, error) {
	f := yamlfile.File{Name: path.Join(p.lab.ID, hiddenDir, name), Hint: loadHint}
	root, err := f.Root(data)
	if err == nil {
		err = f.Check(root)
	}
	return f, root, err
}

// rowText reads a text of a row.
func rowText(f yamlfile.File, what string, to *string) yamlfile.Key {
	return yamlfile.Key{Name: what, Read: func(n *yaml.Node) (err error) { *to, err = f.Text(n, what); return err }}
}

// rowTexts reads a list of texts of a row.
func rowTexts(f yamlfile.File, what string, to *[]string) yamlfile.Key {
	return yamlfile.Key{Name: what, Read: func(n *yaml.Node) (err error) { *to, err = f.Texts(n, what); return err }}
}

// rowObject reads what stands for an object in JSON.
func rowObject(f yamlfile.File, what string, to *map[string]any) yamlfile.Key {
	return yamlfile.Key{Name: what, Read: func(n *yaml.Node) error {
		err := n.Decode(to)
		if err == nil {
			_, err = json.Marshal(*to) // a key may be no text
		}
		if err != nil {
			return f.ErrorAt(n, "write fields with their values", "%s is no object: %v", what, err)
		}
		return nil
	}}
}

// missed is what a table's rows found wrong: the first in words, and how many more.
type missed struct {
	wanted, found string
	more          int
}

func (m *missed) add(wanted, found string) {
	if m.wanted == "" {
		m.wanted, m.found = wanted, found
		return
	}
	m.more++
}

// finding says what was found wrong, or that all is right.
func (m *missed) finding(right string) finding {
	switch {
	case m.wanted == "":
		return finding{true, right, "as wanted"}
	case m.more > 0:
		return finding{wanted: m.wanted, found: fmt.Sprintf("%s; and %s wrong", m.found, moreAre(m.more))}
	}
	return finding{wanted: m.wanted, found: m.found}
}

func moreAre(count int) string {
	if count == 1 {
		return "one more is"
	}
	return fmt.Sprintf("%d more are", count)
}
