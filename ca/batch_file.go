package ca

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
)

// MaxBatchLines is how many lines a file of many users may have.
const MaxBatchLines = 1_000_000

// maxYAMLValues is how many values a YAML file may hold, as far as commas, colons
// and line ends tell.
const maxYAMLValues = 200_000

// maxBatchLine is how long each may be, in bytes.
const maxBatchLine = 64 << 10

// batchField is a column of a CSV file, or a key of a YAML file. They are named
// as the flags of the command issue.
type batchField struct {
	name string
	set  func(*IssueOptions, string)   // for one value
	list func(*IssueOptions, []string) // for several
}

var batchFields = []batchField{
	{name: "cn", set: func(o *IssueOptions, v string) { o.CommonName = v }},
	{name: "group", list: func(o *IssueOptions, v []string) { o.Groups = v }},
	{name: "profile", set: func(o *IssueOptions, v string) { o.Profile = v }},
	{name: "dns", list: func(o *IssueOptions, v []string) { o.DNS = v }},
	{name: "ip", list: func(o *IssueOptions, v []string) { o.IPs = v }},
	{name: "uri", list: func(o *IssueOptions, v []string) { o.URIs = v }},
	{name: "email", list: func(o *IssueOptions, v []string) { o.Emails = v }},
	{name: "key", set: func(o *IssueOptions, v string) { o.Key = v }},
	{name: "validity", set: func(o *IssueOptions, v string) { o.Validity = v }},
	{name: "out", set: func(o *IssueOptions, v string) { o.Out = v }},
}

func fieldNames() string {
	names := make([]string, len(batchFields))
	for i, f := range batchFields {
		names[i] = f.name
	}
	return strings.Join(names, ", ")
}

// findField returns the field with that name; groups is taken for group.
func findField(name string) (batchField, error) {
	name = strings.ToLower(strings.TrimSpace(name))
	if name == "groups" {
		name = "group"
	}
	i := slices.IndexFunc(batchFields, func(f batchField) bool { return f.name == name })
	if i < 0 {
		return batchField{}, failure.New(failure.Usage, "known are "+fieldNames(), "unknown column %q", name)
	}
	return batchFields[i], nil
}

// Line is one certificate that a file asks for.
type Line struct {
	Number  int // of the line in the file, from 1
	Options IssueOptions
	Err     error // why this line cannot be read
}

// BatchReader reads a file of many users, one after the other.
type BatchReader struct {
	Total int // lines in all; 0 where it is not known
	name  string
	next  func(defaults IssueOptions) (Line, error)
}

// NewBatchReader reads r, whose name is for errors, in one of two forms. In CSV
// (RFC 4180, each record on one line) the first line names the columns, as in
// cn,group,validity; several values in one cell are separated by ';'. In YAML
// or JSON it is a list of objects with these names for keys. Errors are
// failure.Errors of kind Usage.
func NewBatchReader(r io.Reader, name string) (*BatchReader, error) {
	buffered := bufio.NewReaderSize(r, maxBatchLine)
	if bom, _ := buffered.Peek(3); string(bom) == "\ufeff" {
		_, _ = buffered.Discard(3) // it was peeked
	}
	head, err := buffered.Peek(512)
	if len(head) == 0 {
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, store.ReadError(err, name)
		}
		return nil, failure.New(failure.Usage, "its first line names the columns, as in: cn,group", "%q is empty", name)
	}
	b := &BatchReader{name: name}
	if isYAML := slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(name)); isYAML || looksLikeYAML(head) {
		err = b.openYAML(buffered)
	} else {
		err = b.openCSV(buffered)
	}
	return b, err
}

// looksLikeYAML tells a list of objects from a line of columns.
func looksLikeYAML(head []byte) bool {
	for line := range bytes.Lines(head) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		return bytes.ContainsAny(line[:1], "-[{%") || bytes.HasPrefix(line, []byte("apiVersion:")) ||
			bytes.HasPrefix(line, []byte("kind:")) || bytes.HasPrefix(line, []byte("items:"))
	}
	return false
}

// Next returns the next line, with defaults where it says nothing, and io.EOF
// after the last. Another error means that no more can be read.
func (b *BatchReader) Next(defaults IssueOptions) (Line, error) { return b.next(defaults) }

// openCSV reads the names of the columns.
func (b *BatchReader) openCSV(r *bufio.Reader) error {
	lines := &csvLines{reader: r, name: b.name}
	header, err := lines.next()
	if errors.Is(err, io.EOF) {
		return failure.New(failure.Usage, "its first line names the columns, as in: cn,group", "%q is empty", b.name)
	}
	var known *failure.Error
	if errors.As(err, &known) {
		return err
	}
	var bad *csv.ParseError
	if errors.As(err, &bad) {
		err = bad.Err // where it is, is said already
	}
	if err != nil {
		return failure.Wrap(err, failure.Usage, "its first line names the columns, as in: cn,group", "cannot read line 1 of %q", b.name)
	}
	var columns []batchField
	for _, name := range header {
		field, err := findField(name)
		if err != nil {
			return failure.Wrap(err, failure.Usage, "", "line %d of %q", lines.number, b.name)
		}
		if slices.ContainsFunc(columns, func(f batchField) bool { return f.name == field.name }) {
			return failure.New(failure.Usage, "name each column once", "line %d of %q names the column %q twice", lines.number, b.name, field.name)
		}
		columns = append(columns, field)
	}
	if !slices.ContainsFunc(columns, func(f batchField) bool { return f.name == "cn" }) {
		return failure.New(failure.Usage, "its first line names the columns, as in: cn,group",
			"line %d of %q names no column cn", lines.number, b.name)
	}
	b.next = func(defaults IssueOptions) (Line, error) {
		record, err := lines.next()
		var bad *csv.ParseError
		switch {
		case err == nil:
			line := Line{Number: lines.number, Options: defaults}
			line.Err = fillCSV(&line.Options, columns, record)
			return line, nil
		case errors.As(err, &bad):
			return Line{Number: lines.number, Err: failure.New(failure.Usage,
				`put a value with , or " in quotes, and write a quote in it twice`, "it is not CSV: %v", bad.Err)}, nil
		}
		return Line{}, err
	}
	return nil
}

// fillCSV sets the options of a record.
func fillCSV(o *IssueOptions, columns []batchField, record []string) error {
	if len(record) != len(columns) {
		return failure.New(failure.Usage, `put a value with , in quotes, and separate several groups with ;`,
			"it has %d columns, and the first line %d", len(record), len(columns))
	}
	for i, field := range columns {
		value := strings.TrimSpace(record[i])
		if value == "" {
			continue
		}
		if strings.ContainsAny(value[:1], "=+-@") {
			return failure.New(failure.Usage, "write the plain value", "%s %q is a formula to spreadsheet programs", field.name, value)
		}
		if field.set != nil {
			field.set(o, value)
			continue
		}
		var values []string
		for part := range strings.SplitSeq(value, ";") {
			values = append(values, strings.TrimSpace(part))
		}
		field.list(o, values)
	}
	return placeLine(o)
}

// placeLine puts the files that a line names below the directory of all: a
// flag could name any, but a file may come from somebody else. Names that begin
// with a dot are the store's own, or hidden.
func placeLine(o *IssueOptions) error {
	if o.Out == "" {
		return nil
	}
	const hint = "write a name below the directory that --out names"
	out := filepath.Clean(o.Out)
	parts := strings.Split(filepath.ToSlash(out), "/")
	isDot := func(part string) bool { return strings.HasPrefix(part, ".") }
	switch {
	case strings.ContainsFunc(o.Out, func(r rune) bool { return !unicode.IsPrint(r) }) || !utf8.ValidString(o.Out):
		return failure.New(failure.Usage, "write a name of letters and digits", "out %q has characters that cannot be printed", o.Out)
	case !filepath.IsLocal(out):
		return failure.New(failure.Usage, hint, "out %q leads elsewhere", o.Out)
	case out == "." || strings.HasSuffix(filepath.ToSlash(o.Out), "/"):
		return failure.New(failure.Usage, hint, "out %q names no file", o.Out)
	case slices.ContainsFunc(parts, isDot):
		return failure.New(failure.Usage, hint, "out %q has a name that begins with a dot", o.Out)
	}
	o.Out = filepath.Join(cmp.Or(o.OutDir, o.Dir), out)
	return nil
}

// csvLines reads a record a line. A quote that is never closed then spoils its
// own line, and not all that follow.
type csvLines struct {
	reader *bufio.Reader
	name   string
	number int
}

func (l *csvLines) next() ([]string, error) {
	for {
		line, err := l.reader.ReadSlice('\n')
		if len(line) > 0 {
			l.number++
		}
		if l.number > MaxBatchLines {
			return nil, failure.New(failure.Usage, "split the file", "%q has more than %d lines", l.name, MaxBatchLines)
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			return nil, failure.New(failure.Usage, "check that it is the file you mean",
				"line %d of %q is longer than %d bytes", l.number, l.name, maxBatchLine)
		}
		if err != nil && (!errors.Is(err, io.EOF) || len(line) == 0) {
			return nil, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(bytes.TrimSpace(line)) == 0 || line[0] == '#' {
			continue
		}
		return csv.NewReader(bytes.NewReader(line)).Read()
	}
}

// openYAML reads the whole list.
func (b *BatchReader) openYAML(r io.Reader) error {
	data, err := store.ReadAll(r, b.name, store.MaxYAML)
	if err != nil {
		return err
	}
	// The whole of it is held in memory, at up to 700 bytes for each value.
	if bytes.Count(data, []byte{','})+bytes.Count(data, []byte{'\n'})+bytes.Count(data, []byte{':'}) > maxYAMLValues {
		return failure.New(failure.Usage, "write it as CSV, or split it", "%q holds more than some %d values", b.name, maxYAMLValues)
	}
	items, err := b.yamlItems(data)
	if err != nil {
		return err
	}
	b.Total = len(items)
	b.next = func(defaults IssueOptions) (Line, error) {
		if len(items) == 0 {
			return Line{}, io.EOF
		}
		item := items[0]
		items = items[1:]
		line := Line{Number: item.Line, Options: defaults}
		line.Err = fillYAML(&line.Options, item)
		return line, nil
	}
	return nil
}

// yamlItems returns the objects of a list, or of an object of kind
// CertificateRequestList.
func (b *BatchReader) yamlItems(data []byte) ([]*yaml.Node, error) {
	bad := func(why string, args ...any) error {
		return failure.New(failure.Usage, "write a list like: [{cn: jane, group: [developers]}]", "%q %s", b.name, fmt.Sprintf(why, args...))
	}
	list, err := newDocument(b.name).Root(data) // its other checks would have one bad item stop the rest
	if err != nil {
		return nil, err
	}
	if list.Kind == yaml.MappingNode {
		items, err := itemsOf(list)
		if err != nil {
			return nil, bad("%v", err)
		}
		list = items
	}
	if list.Kind != yaml.SequenceNode {
		return nil, bad("is not a list")
	}
	return list.Content, nil
}

// kindBatch is the kind of an object that holds a list.
const kindBatch = "CertificateRequestList"

// itemsOf returns the list in an object that says what it is.
func itemsOf(object *yaml.Node) (*yaml.Node, error) {
	var items *yaml.Node
	for i := 0; i+1 < len(object.Content); i += 2 {
		key, value := object.Content[i], object.Content[i+1]
		switch {
		case key.Value == "items" && items == nil:
			items = value
		case key.Value == "apiVersion" && value.Value == "pkictl.dev/v1", key.Value == "kind" && value.Value == kindBatch:
		case key.Value == "apiVersion", key.Value == "kind":
			return nil, fmt.Errorf("is of %s %q, not pkictl.dev/v1 and %s", key.Value, value.Value, kindBatch)
		default:
			return nil, fmt.Errorf("has the unknown or second key %q in line %d", key.Value, key.Line)
		}
	}
	if items == nil {
		return nil, errors.New("has no items")
	}
	return items, nil
}

// fillYAML sets the options of an object.
func fillYAML(o *IssueOptions, object *yaml.Node) error {
	if object.Kind != yaml.MappingNode {
		return failure.New(failure.Usage, "write it like {cn: jane, group: [developers]}", "it is not an object")
	}
	var seen []string
	for i := 0; i+1 < len(object.Content); i += 2 {
		key, value := object.Content[i], object.Content[i+1]
		field, err := findField(key.Value)
		if err != nil {
			return failure.New(failure.Usage, "known are "+fieldNames(), "unknown key %q in line %d", key.Value, key.Line)
		}
		if slices.Contains(seen, field.name) {
			return failure.New(failure.Usage, "name each key once", "key %q stands twice, again in line %d", field.name, key.Line)
		}
		seen = append(seen, field.name)
		values, err := yamlValues(value)
		if err != nil {
			return failure.New(failure.Usage, "write a text, or for several a list of texts", "%s in line %d %v", field.name, value.Line, err)
		}
		switch {
		case field.list != nil:
			field.list(o, values)
		case value.Kind == yaml.ScalarNode:
			field.set(o, value.Value)
		default:
			return failure.New(failure.Usage, "write one text", "%s in line %d is not one value", field.name, value.Line)
		}
	}
	return placeLine(o)
}

// yamlValues returns the texts of a scalar, or of a list of them. Aliases are
// refused: what a line says stands in it.
func yamlValues(node *yaml.Node) ([]string, error) {
	nodes := []*yaml.Node{node}
	if node.Kind == yaml.SequenceNode {
		nodes = node.Content
	}
	values := make([]string, len(nodes))
	for i, n := range nodes {
		if n.Kind != yaml.ScalarNode || n.Tag == "!!null" || n.Value == "" {
			return nil, errors.New("is not a text")
		}
		values[i] = n.Value
	}
	return values, nil
}
