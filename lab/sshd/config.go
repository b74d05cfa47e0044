// Package sshd reads sshd_config as sshd does (OpenSSH 9.2, servconf.c), without sshd:
// the first value of a keyword counts, Match blocks hold for connections that meet
// them, and what sshd would not start with is an error.
package sshd

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/pkictl/pkictl/internal/failure"
)

// Files are those that sshd would read, by their names without the first slash.
type Files struct {
	Read func(name string) ([]byte, error)
	// List returns the names in a directory; none where there is no such directory.
	List func(dir string) []string
}

// Connection is what Match blocks ask for.
type Connection struct {
	User, Host, Address, LocalAddress string
	LocalPort                         int
	Groups                            []string
}

// Config is a configuration that was read.
type Config struct {
	global  map[string][]string // by keyword in small letters
	blocks  []block
	keyword map[string]keyword
}

// block is a Match block, or what is in one of an included file: all conditions must
// be met.
type block struct {
	conditions []criteria
	values     map[string][]string
}

// criteria are those of one Match line.
type criteria struct {
	all   bool
	names []criterion
}

type criterion struct{ attribute, pattern string }

// Limits on what strangers write.
const (
	maxIncludes = 16 // SERVCONF_MAX_DEPTH
	maxFiles    = 100
	maxBlocks   = 1000
)

// Read reads a configuration. The error names file and line.
func Read(files Files, name string) (*Config, error) {
	c := &Config{global: map[string][]string{}, keyword: keywords()}
	r := &reader{files: files, config: c}
	if err := r.file(name, 0, nil); err != nil {
		return nil, err
	}
	return c, nil
}

// Value returns what holds for a connection, or with nil for none in particular: the
// first value in a Match block that it meets, or else the first outside of all, or else
// sshd's own. Lists are joined by blanks. The keyword may be in any case, and one of
// its older names.
func (c *Config) Value(keyword string, connection *Connection) string {
	name := canonical(keyword)
	for _, b := range c.blocks {
		if values, ok := b.values[name]; ok && b.meets(connection) {
			return strings.Join(values, " ")
		}
	}
	if values, ok := c.global[name]; ok {
		return strings.Join(values, " ")
	}
	return c.keyword[name].normal
}

func (b block) meets(connection *Connection) bool {
	return !slices.ContainsFunc(b.conditions, func(c criteria) bool { return !c.meets(connection) })
}

// errTooMany is what sshd says of a file that includes itself, too.
var errTooMany = errors.New("too many files are included: does one include itself?")

// reader follows Include.
type reader struct {
	files  Files
	config *Config
	count  int
}

func (r *reader) file(name string, depth int, outer []criteria) error {
	if r.count++; r.count > maxFiles || depth > maxIncludes {
		return errTooMany
	}
	data, err := r.files.Read(name)
	if err != nil {
		return err
	}
	conditions := outer
	current := r.values(conditions)
	for number, line := range strings.Split(string(data), "\n") {
		err := r.line(line, depth, outer, &conditions, &current)
		if errors.Is(err, errTooMany) && depth > 0 {
			return err // each file would say where
		}
		if err != nil {
			return failure.Wrap(err, failure.Usage, "", "%q, line %d", name, number+1)
		}
	}
	return nil
}

// values returns where the values of a block go.
func (r *reader) values(conditions []criteria) map[string][]string {
	if len(conditions) == 0 {
		return r.config.global
	}
	values := map[string][]string{}
	r.config.blocks = append(r.config.blocks, block{conditions, values})
	return values
}

func (r *reader) line(line string, depth int, outer []criteria, conditions *[]criteria, current *map[string][]string) error {
	rest := strings.TrimRight(line, " \t\r\n\f")
	if strings.ContainsRune(rest, 0) {
		return failure.New(failure.Usage, "", "there is a zero byte in it")
	}
	word, rest, err := splitWord(rest)
	if word == "" && err == nil && rest != "" {
		word, rest, err = splitWord(rest) // blanks before it
	}
	if word == "" && err == nil || strings.HasPrefix(word, "#") {
		return nil
	}
	if err != nil {
		return err
	}
	name := canonical(word)
	known, ok := r.config.keyword[name]
	if !ok {
		return failure.New(failure.Usage, "", "sshd knows no keyword %s%s", word, didYouMean(name, r.config.keyword))
	}
	if rest == "" {
		return failure.New(failure.Usage, "", "%s has no value", word)
	}
	arguments, err := splitArguments(rest)
	switch {
	case err != nil:
		return err
	case name == "match":
		return r.match(rest, outer, conditions, current)
	case name == "include":
		return r.include(arguments, depth, *conditions, current)
	case slices.ContainsFunc(*conditions, func(c criteria) bool { return !c.all }) && !known.inMatch: // Match all ends a block
		return failure.New(failure.Usage, "write it before the first Match, for a block goes on to the next Match or the end",
			"%s is not allowed in a Match block", word)
	case known.kind == ignored:
		return nil
	}
	values, err := known.read(word, arguments)
	if err != nil {
		return err
	}
	old, there := (*current)[name]
	switch {
	case !there:
		(*current)[name] = values
	case known.kind == words: // these add up
		(*current)[name] = append(old, values...)
	}
	return nil
}

func didYouMean(name string, known map[string]keyword) string {
	var names []string
	for name := range known {
		names = append(names, name)
	}
	slices.Sort(names)
	if meant := failure.Closest(name, names); meant != "" {
		return " (did you mean " + known[meant].name + "?)"
	}
	return ""
}

func (r *reader) match(rest string, outer []criteria, conditions *[]criteria, current *map[string][]string) error {
	c, err := readCriteria(rest)
	if err != nil {
		return err
	}
	if len(r.config.blocks) >= maxBlocks {
		return failure.New(failure.Usage, "", "there are more than %d Match blocks", maxBlocks)
	}
	*conditions = append(slices.Clone(outer), c)
	*current = r.values(*conditions)
	return nil
}

// include reads files in the place of the line. What a Match in them begins ends with
// the file.
func (r *reader) include(patterns []string, depth int, conditions []criteria, current *map[string][]string) error {
	for _, pattern := range patterns {
		if pattern == "" {
			return failure.New(failure.Usage, "", "Include has an empty name")
		}
		if !path.IsAbs(pattern) {
			pattern = "/etc/ssh/" + pattern
		}
		names, err := glob(r.files, strings.TrimPrefix(path.Clean(pattern), "/"))
		if err != nil {
			return err
		}
		for _, name := range names {
			if err := r.file(name, depth+1, conditions); err != nil {
				return err
			}
		}
	}
	// What follows in this block comes after what was included.
	*current = r.values(conditions)
	return nil
}

// glob returns the files that a pattern names, in order. A name without a pattern is
// itself, if it is there.
func glob(files Files, pattern string) ([]string, error) {
	if strings.HasPrefix(pattern, "../") || pattern == ".." {
		return nil, failure.New(failure.Usage, "", "Include leads out of /")
	}
	found := []string{""}
	for part := range strings.SplitSeq(pattern, "/") {
		var next []string
		for _, dir := range found {
			for _, name := range files.List(dir) {
				ok, err := path.Match(part, name)
				if err != nil {
					return nil, failure.New(failure.Usage, "", "Include names no files: %s", pattern)
				}
				if ok && (name[0] != '.' || part[0] == '.') {
					next = append(next, path.Join(dir, name))
				}
			}
		}
		if len(next) > maxFiles {
			return nil, failure.New(failure.Usage, "", "too many files are included")
		}
		found = next
	}
	slices.Sort(found)
	return found, nil
}

// splitWord takes a word from a line as strdelim does: up to a blank, a quote or an =,
// with the blanks, and one =, after it.
func splitWord(line string) (word, rest string, err error) {
	const blanks = " \t\r\n"
	i := strings.IndexAny(line, blanks+`"=`)
	if i < 0 {
		return line, "", nil
	}
	if line[i] == '"' {
		end := strings.IndexByte(line[i+1:], '"')
		if end < 0 {
			return "", "", failure.New(failure.Usage, "", "a quote has no end")
		}
		return line[:i] + line[i+1:i+1+end], strings.TrimLeft(line[i+end+2:], blanks), nil
	}
	rest = strings.TrimLeft(line[i+1:], blanks)
	if line[i] != '=' && strings.HasPrefix(rest, "=") {
		rest = strings.TrimLeft(rest[1:], blanks)
	}
	return line[:i], rest, nil
}

// splitArguments splits what follows a keyword as argv_split does.
func splitArguments(text string) ([]string, error) {
	var all []string
	for i := 0; i < len(text); i++ {
		if text[i] == ' ' || text[i] == '\t' {
			continue
		}
		if text[i] == '#' {
			break
		}
		var word strings.Builder
		quote := byte(0)
	letters:
		for ; i < len(text); i++ {
			b := text[i]
			switch {
			case b == '\\' && i+1 < len(text) && (strings.IndexByte(`'"\`, text[i+1]) >= 0 || quote == 0 && text[i+1] == ' '):
				i++
				word.WriteByte(text[i])
			case b != '\\' && quote == 0 && (b == ' ' || b == '\t'):
				break letters
			case b != '\\' && quote == 0 && (b == '"' || b == '\''):
				quote = b
			case quote != 0 && b == quote:
				quote = 0
			default:
				word.WriteByte(b)
			}
		}
		if quote != 0 {
			return nil, failure.New(failure.Usage, "", "a quote has no end")
		}
		all = append(all, word.String())
	}
	return all, nil
}

// canonical returns a keyword as it is kept.
func canonical(word string) string {
	name := strings.ToLower(word)
	for _, alias := range [...][2]string{
		{"challengeresponseauthentication", "kbdinteractiveauthentication"}, {"skeyauthentication", "kbdinteractiveauthentication"},
		{"dsaauthentication", "pubkeyauthentication"}, {"keepalive", "tcpkeepalive"}, {"hostdsakey", "hostkey"},
		{"pubkeyacceptedkeytypes", "pubkeyacceptedalgorithms"}, {"hostbasedacceptedkeytypes", "hostbasedacceptedalgorithms"},
	} {
		if name == alias[0] {
			return alias[1]
		}
	}
	return name
}

// String is for errors of tests.
func (c Connection) String() string {
	return fmt.Sprintf("user=%s,host=%s,addr=%s", c.User, c.Host, c.Address)
}
