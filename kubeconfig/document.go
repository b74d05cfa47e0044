package kubeconfig

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
)

// section is one of the lists of named things in a kubeconfig: the key of the
// list, and that of the thing in an item of it, which is also what it is called.
type section struct{ list, noun string }

var (
	clusters = section{"clusters", "cluster"}
	users    = section{"users", "user"}
	contexts = section{"contexts", "context"}
	sections = []section{clusters, users, contexts}
)

// document is a kubeconfig in three forms: its text, the nodes of its YAML, and
// what kubectl makes of it.
type document struct {
	path   string // as the user or KUBECONFIG has it
	exists bool
	data   []byte
	root   *yaml.Node // a mapping, an empty one where the file says nothing
	config *api.Config
}

// readDocument reads a kubeconfig. One that is not there is empty where that is
// allowed.
func readDocument(path string, mayMiss bool) (*document, error) {
	data, err := store.Read(path, store.MaxYAML)
	if mayMiss && errors.Is(err, fs.ErrNotExist) {
		return emptyDocument(path), nil
	}
	if err != nil {
		if info, statErr := os.Stat(path); statErr == nil && info.IsDir() {
			return nil, failure.New(failure.Failed, "name a file in it", "%q is a directory, not a kubeconfig", path)
		}
		return nil, err
	}
	doc, err := parseDocument(data, path)
	if err == nil {
		doc.exists = true
	}
	return doc, err
}

func emptyDocument(path string) *document {
	return &document{path: path, root: &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}, config: api.NewConfig()}
}

// parseDocument decodes a kubeconfig as kubectl does, which is by the field
// names' exact case, and with unknown fields. What kubectl would pass over,
// such as a second document, is refused: it would get lost.
func parseDocument(data []byte, name string) (*document, error) {
	doc := emptyDocument(name)
	doc.data = data
	loaded := make(chan error, 1)
	go func() {
		var err error
		doc.config, err = load(data)
		loaded <- err
	}()
	err := doc.parse()
	if loadErr := <-loaded; err == nil && loadErr != nil {
		err = decodeError(loadErr, name)
	}
	if err != nil {
		return nil, err
	}
	if !isKubeconfig(doc.root) {
		return nil, noConfig(name)
	}
	// Now aliases are known to end: kubectl's parser counts them.
	return doc, checkKeys(doc.root, name)
}

// load is what kubectl makes of a text.
func load(data []byte) (*api.Config, error) {
	config, err := clientcmd.Load(data)
	if err != nil {
		return nil, err
	}
	if config.Clusters == nil {
		config.Clusters = map[string]*api.Cluster{}
	}
	if config.AuthInfos == nil {
		config.AuthInfos = map[string]*api.AuthInfo{}
	}
	if config.Contexts == nil {
		config.Contexts = map[string]*api.Context{}
	}
	return config, nil
}

// parse fills in the nodes of the text.
func (d *document) parse() error {
	data, name := d.data, d.path
	var root, more yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	err := decoder.Decode(&root)
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err != nil {
		return syntaxError(err, data, name)
	}
	if err := decoder.Decode(&more); !errors.Is(err, io.EOF) {
		return failure.New(failure.Failed, "make a file of each", "%q holds several YAML documents, of which kubectl reads the first only", name)
	}
	switch top := root.Content[0]; {
	case top.Kind == yaml.ScalarNode && top.Tag == "!!null":
		return nil
	case top.Kind != yaml.MappingNode:
		return noConfig(name)
	default:
		d.root = top
	}
	return checkNames(d.root, name)
}

// syntaxError says where a text is no YAML. The cause quotes nothing of it.
func syntaxError(err error, data []byte, name string) error {
	hint := "see what is wrong in that line"
	if bytes.Contains(data, []byte("\n\t")) || bytes.HasPrefix(data, []byte("\t")) {
		hint = "YAML is indented with spaces, not with tabs"
	}
	return failure.Wrap(errors.New(strings.TrimPrefix(err.Error(), "yaml: ")), failure.Failed, hint, "%q is not YAML", name)
}

// decodeError says why kubectl cannot read a file. Causes that may quote an
// entry, with its keys, are left out.
func decodeError(err error, name string) error {
	text := err.Error()
	for _, harmless := range []string{"json: cannot unmarshal ", "illegal base64 data "} {
		if strings.HasPrefix(text, harmless) {
			return failure.Wrap(errors.New(text), failure.Failed, "correct it in the file", "kubectl cannot read %q", name)
		}
	}
	return noConfig(name)
}

func noConfig(name string) error {
	return failure.New(failure.Failed, "a kubeconfig begins with apiVersion: v1 and kind: Config", "%q is not a kubeconfig", name)
}

// isKubeconfig tells a kubeconfig from other YAML, which kubectl takes for one
// that is empty.
func isKubeconfig(root *yaml.Node) bool {
	version, kind := valueOf(root, "apiVersion"), valueOf(root, "kind")
	if version == nil && kind == nil {
		isKey := func(key string) bool { return valueOf(root, key) != nil }
		return len(root.Content) == 0 || slices.ContainsFunc([]string{"clusters", "users", "contexts", "current-context", "preferences"}, isKey)
	}
	return version != nil && kind != nil && version.Value == "v1" && kind.Value == "Config" // as Parse has it
}

// checkNames refuses two entries of one name: kubectl does not read such a
// file, and says so by printing all of both.
func checkNames(root *yaml.Node, name string) error {
	for _, s := range sections {
		lines := map[string]int{}
		for _, item := range entries(valueOf(root, s.list)) {
			node := valueOf(item, "name")
			if node == nil {
				continue
			}
			if first, again := lines[node.Value]; again {
				return failure.New(failure.Failed, "rename or remove one of them", "%q has two %ss named %q, in lines %d and %d",
					name, s.noun, node.Value, first, node.Line)
			}
			lines[node.Value] = node.Line
		}
	}
	return nil
}

// checkKeys refuses a key that is in an object twice. kubectl takes the last
// one; which one was meant is not known, and YAML has no such thing.
func checkKeys(node *yaml.Node, name string) error {
	if node.Kind == yaml.MappingNode {
		seen := make(map[string]bool, len(node.Content)/2)
		for i := 0; i+1 < len(node.Content); i += 2 {
			key := node.Content[i]
			if key.Kind != yaml.ScalarNode {
				return noConfig(name)
			}
			if seen[key.Value] {
				return failure.New(failure.Failed, "remove one of them", "%q has the key %q twice, the second time in line %d", name, key.Value, key.Line)
			}
			seen[key.Value] = true
		}
	}
	for _, child := range node.Content { // not what an alias stands for: it was seen
		if err := checkKeys(child, name); err != nil {
			return err
		}
	}
	return nil
}

// plainCopy returns a node as it would be without aliases, merge keys, comments
// and flow style: an entry on its way to another file.
func plainCopy(node *yaml.Node) *yaml.Node {
	if node.Kind == yaml.AliasNode {
		return plainCopy(node.Alias)
	}
	c := &yaml.Node{Kind: node.Kind, Tag: node.Tag, Value: node.Value, Style: node.Style &^ yaml.FlowStyle}
	if node.Kind != yaml.MappingNode {
		for _, child := range node.Content {
			c.Content = append(c.Content, plainCopy(child))
		}
		return c
	}
	var merged []*yaml.Node
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		if key.Tag == "!!merge" {
			merged = append(merged, value)
			continue
		}
		c.Content = append(c.Content, plainCopy(key), plainCopy(value))
	}
	for _, value := range merged {
		addMerged(c, value)
	}
	return c
}

// addMerged adds what a merge key brings: what is there stays (yaml.org/type/merge).
func addMerged(to, value *yaml.Node) {
	from := plainCopy(value)
	if from.Kind == yaml.SequenceNode {
		for _, one := range from.Content {
			addMerged(to, one)
		}
		return
	}
	for i := 0; i+1 < len(from.Content); i += 2 {
		if valueOf(to, from.Content[i].Value) == nil {
			to.Content = append(to.Content, from.Content[i], from.Content[i+1])
		}
	}
}

// setValue gives a key of an object a text for its value.
func setValue(object *yaml.Node, key, value string) {
	node := textNode(value)
	for i := 0; i+1 < len(object.Content); i += 2 {
		if object.Content[i].Value == key {
			object.Content[i+1] = node
			return
		}
	}
	object.Content = append(object.Content, textNode(key), node)
}

// removeKey takes a key out of an object.
func removeKey(object *yaml.Node, key string) {
	for i := 0; i+1 < len(object.Content); i += 2 {
		if object.Content[i].Value == key {
			object.Content = append(object.Content[:i:i], object.Content[i+2:]...)
			return
		}
	}
}

// textNode is a text, in quotes where a parser might take it for something else:
// YAML 1.1, which kubectl's follows, knows more of that than 1.2.
func textNode(value string) *yaml.Node {
	node := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: value}
	if !isPlainText(value) {
		node.Style = yaml.DoubleQuotedStyle
	}
	return node
}

func isPlainText(value string) bool {
	isLetter := func(r rune) bool { return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' }
	for i, r := range value {
		if !isLetter(r) && (i == 0 || !strings.ContainsRune("0123456789-_./@=+", r)) && (i > 0 || r != '/') {
			return false
		}
	}
	switch strings.ToLower(value) {
	case "", "y", "n", "yes", "no", "on", "off", "true", "false", "null":
		return false
	}
	return true
}
