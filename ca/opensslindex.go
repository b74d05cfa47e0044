package ca

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/big"
	"os"
	"strings"
	"time"

	"github.com/pkictl/pkictl/internal/failure"
)

// Limits of an index.txt: octets, lines, and octets of one of them.
const (
	maxIndex      = 64 << 20
	maxIndexLines = 1_000_000
	maxIndexLine  = 64 << 10
)

// Statuses in index.txt.
const (
	indexValid   = "V"
	indexRevoked = "R"
	indexExpired = "E"
)

// indexRow is a line of index.txt, the list that openssl ca keeps of what it
// signed.
type indexRow struct {
	status    string
	expires   time.Time
	revokedAt time.Time // zero unless revoked
	reason    int       // a CRLReason (RFC 5280, 5.3.1)
	serial    *big.Int
	name      string // the common name, or the whole subject; empty unless revoked
	isFound   bool   // there is a certificate
}

// indexReasons are the reasons of revocation by their names in index.txt, in
// lower case. Those with an argument say which of two kinds it is.
var indexReasons = map[string]int{
	"unspecified": 0, "keycompromise": 1, "cacompromise": 2, "affiliationchanged": 3, "superseded": 4,
	"cessationofoperation": 5, "certificatehold": 6, "removefromcrl": 8, "privilegewithdrawn": 9, "aacompromise": 10,
	"holdinstruction": 6, "keytime": 1, "cakeytime": 2,
}

// readIndex reads an index.txt.
func readIndex(path string) ([]indexRow, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, failure.Wrap(errors.Unwrap(err), failure.Failed, "check owner and mode of the file", "cannot read %q", path)
	}
	defer file.Close()
	return parseIndex(file, path)
}

// parseIndex reads the lines of an index.txt; the name is what errors call it.
func parseIndex(r io.Reader, name string) ([]indexRow, error) {
	var rows []indexRow
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxIndexLine)
	number, octets := 0, 0
	for lines.Scan() {
		number++
		if octets += len(lines.Bytes()) + 1; octets > maxIndex {
			return nil, failure.New(failure.Failed, "check that it is the file you mean", "%q is larger than %d MiB", name, maxIndex>>20)
		}
		if number > maxIndexLines {
			return nil, failure.New(failure.Failed, "check that it is the file you mean", "%q has more than %d lines", name, maxIndexLines)
		}
		line := strings.TrimSuffix(lines.Text(), "\r")
		if line == "" || line[0] == '#' { // as openssl reads it
			continue
		}
		row, err := parseIndexRow(line)
		if err != nil {
			return nil, failure.Wrap(err, failure.Failed, "mend the line or restore the file from a backup; nothing was recorded",
				"line %d of %q is damaged", number, name)
		}
		rows = append(rows, row)
	}
	if err := lines.Err(); err != nil {
		return nil, failure.Wrap(err, failure.Failed, "mend the line or restore the file from a backup; nothing was recorded",
			"line %d of %q cannot be read", number+1, name)
	}
	return rows, nil
}

func parseIndexRow(line string) (indexRow, error) {
	fields := splitIndexRow(line)
	if len(fields) != 6 {
		return indexRow{}, fmt.Errorf("it has %d fields and not 6", len(fields))
	}
	row := indexRow{status: fields[0]}
	var err error
	if row.expires, err = parseIndexTime(fields[1]); err != nil {
		return row, err
	}
	switch row.status {
	case indexRevoked:
		if err := row.parseRevocation(fields[2]); err != nil {
			return row, err
		}
		row.name = strings.Clone(commonNameIn(fields[5])) // not the rest of the line with it
	case indexValid, indexExpired:
		if fields[2] != "" {
			return row, errors.New("it is revoked and not revoked")
		}
	default:
		return row, fmt.Errorf("its status %q is none of V, R and E", row.status)
	}
	serial, isNumber := new(big.Int).SetString(fields[3], 16)
	if !isNumber || len(fields[3]) > 2*serialOctets+2 {
		return row, fmt.Errorf("%q is not a serial number", fields[3])
	}
	row.serial = serial
	return row, nil
}

// splitIndexRow splits a line at its tabs. A tab within a field has a backslash
// before it.
func splitIndexRow(line string) []string {
	var fields []string
	var field strings.Builder
	for i := 0; i < len(line); i++ {
		switch {
		case line[i] == '\\' && i+1 < len(line) && line[i+1] == '\t':
			i++
			field.WriteByte('\t')
		case line[i] == '\t':
			fields = append(fields, field.String())
			field.Reset()
		default:
			field.WriteByte(line[i])
		}
	}
	return append(fields, field.String())
}

// parseRevocation reads a time, and behind commas the reason and what belongs
// to it.
func (row *indexRow) parseRevocation(text string) error {
	when, rest, hasReason := strings.Cut(text, ",")
	var err error
	if row.revokedAt, err = parseIndexTime(when); err != nil || !hasReason {
		return err
	}
	name, _, _ := strings.Cut(rest, ",")
	reason, isKnown := indexReasons[strings.ToLower(name)]
	if !isKnown {
		return fmt.Errorf("%q is not a reason of revocation", name)
	}
	row.reason = reason
	return nil
}

// parseIndexTime reads an ASN.1 time: with two digits of the year until 2049,
// with four from then on (RFC 5280, 4.1.2.5).
func parseIndexTime(text string) (time.Time, error) {
	switch len(text) {
	case len("060102150405Z"):
		when, err := time.Parse("060102150405Z", text)
		if err == nil {
			// RFC 5280: 50 to 99 are of the 20th century; Go begins with 69.
			if when.Year() >= 2050 {
				when = when.AddDate(-100, 0, 0)
			}
			return when, nil
		}
	case len("20060102150405Z"):
		if when, err := time.Parse("20060102150405Z", text); err == nil {
			return when, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is not a time", text)
}

// commonNameIn returns the last common name of a subject in the form of
// openssl's -subj, or all of it.
func commonNameIn(subject string) string {
	if i := strings.LastIndex(subject, "/CN="); i >= 0 {
		name, _, _ := strings.Cut(subject[i+len("/CN="):], "/")
		return name
	}
	return subject
}
