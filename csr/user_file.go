package csr

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/store"
)

// MaxUsers is how many users a file may have.
const MaxUsers = 100_000

// UserLine is one user that a file asks for.
type UserLine struct {
	Number int // of the line in the file, from 1
	Grant  UserGrant
	Err    error // why this line cannot be used
}

// userColumns are the columns of a file of users, named as the flags of the
// command user add.
var userColumns = map[string]func(g *UserGrant, value string) error{
	"name": func(g *UserGrant, v string) error { g.Name = v; return nil },
	"group": func(g *UserGrant, v string) error {
		g.Groups = nil
		for part := range strings.SplitSeq(v, ";") {
			g.Groups = append(g.Groups, strings.TrimSpace(part))
		}
		return nil
	},
	"namespace":    func(g *UserGrant, v string) error { g.Namespace = v; return nil },
	"role":         func(g *UserGrant, v string) error { g.Role, g.ClusterRole = v, ""; return nil },
	"cluster-role": func(g *UserGrant, v string) error { g.ClusterRole, g.Role = v, ""; return nil },
	"for": func(g *UserGrant, v string) error {
		d, err := ca.ParseValidity(v)
		g.Seconds = int64(d / time.Second)
		return err
	},
}

const userColumnNames = "name, group, namespace, role, cluster-role, for"

// ReadUsers reads a file of users, whose name is for errors: CSV (RFC 4180,
// each record on one line), the first line naming the columns. Several groups
// in one cell are separated by ';'. What a line leaves out it has from
// defaults. The error is for the whole file; what is wrong with one line
// stands in it, a name that another line has, too.
func ReadUsers(r io.Reader, name string, defaults UserGrant) ([]UserLine, error) {
	data, err := store.ReadAll(r, name, store.MaxCRL)
	if err != nil {
		return nil, err
	}
	var columns []string
	var lines []UserLine
	seen := map[string]int{}
	scanner := bufio.NewScanner(bytes.NewReader(bytes.TrimPrefix(data, []byte("\ufeff"))))
	scanner.Buffer(nil, 64<<10)
	for number := 1; scanner.Scan(); number++ {
		text := strings.TrimRight(scanner.Text(), "\r")
		if strings.TrimSpace(text) == "" || text[0] == '#' {
			continue
		}
		record, err := csv.NewReader(strings.NewReader(text)).Read()
		if err != nil {
			var parse *csv.ParseError
			if errors.As(err, &parse) {
				err = parse.Err // where it is, is said already
			}
			err = failure.Wrap(err, failure.Usage, `put a value with , or " in quotes, and write a quote in it twice`, "it is not CSV")
		}
		if columns == nil {
			if columns, err = checkColumns(record, err); err != nil {
				return nil, failure.Wrap(err, failure.Usage, failure.HintOf(err), "line %d of %q", number, name)
			}
			continue
		}
		line := UserLine{Number: number, Grant: defaults, Err: err}
		if err == nil {
			line.Err = line.fill(columns, record)
		}
		if first, again := seen[line.Grant.Name]; line.Err == nil && again {
			line.Err = failure.New(failure.Usage, "name each user once", "line %d names user %q, too", first, line.Grant.Name)
		} else if line.Err == nil {
			seen[line.Grant.Name] = number
		}
		if lines = append(lines, line); len(lines) > MaxUsers {
			return nil, failure.New(failure.Usage, "split the file", "%q has more than %d users", name, MaxUsers)
		}
	}
	if err := scanner.Err(); err != nil {
		return nil, failure.New(failure.Usage, "check that it is the file you mean", "%q has a line that is too long", name)
	}
	if columns == nil {
		return nil, failure.New(failure.Usage, "its first line names the columns, as in: name,group", "%q is empty", name)
	}
	return lines, nil
}

// checkColumns checks the first line.
func checkColumns(record []string, err error) ([]string, error) {
	if err != nil {
		return nil, err
	}
	var columns []string
	for _, cell := range record {
		column := strings.ToLower(strings.TrimSpace(cell))
		if column == "groups" {
			column = "group"
		}
		switch {
		case userColumns[column] == nil:
			return nil, failure.New(failure.Usage, "known are "+userColumnNames, "unknown column %q", column)
		case slices.Contains(columns, column):
			return nil, failure.New(failure.Usage, "name each column once", "it names the column %q twice", column)
		}
		columns = append(columns, column)
	}
	if !slices.Contains(columns, "name") {
		return nil, failure.New(failure.Usage, "its first line names the columns, as in: name,group", "it names no column name")
	}
	return columns, nil
}

// fill sets what a record says, and checks it.
func (l *UserLine) fill(columns, record []string) error {
	if len(record) != len(columns) {
		return failure.New(failure.Usage, "put a value with , in quotes, and separate several groups with ;",
			"it has %d columns, and the first line %d", len(record), len(columns))
	}
	for i, column := range columns {
		value := strings.TrimSpace(record[i])
		if value == "" {
			continue
		}
		if strings.ContainsAny(value[:1], "=+-@") {
			return failure.New(failure.Usage, "write the plain value", "%s %q is a formula to spreadsheet programs", column, value)
		}
		if err := userColumns[column](&l.Grant, value); err != nil {
			return err
		}
	}
	if both := "role"; slices.Contains(columns, both) && slices.Contains(columns, "cluster-role") &&
		strings.TrimSpace(record[slices.Index(columns, both)]) != "" && strings.TrimSpace(record[slices.Index(columns, "cluster-role")]) != "" {
		return failure.New(failure.Usage, "leave one of them empty", "role and cluster-role exclude each other")
	}
	return l.Grant.Check()
}
