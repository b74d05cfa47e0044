package nginx

import (
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/pkictl/pkictl/internal/failure"
)

// Config is what stands in the block http.
type Config struct {
	main    *level
	servers []*server
	all     []directive
	// unserved is the first directive that this package does not have nginx itself
	// run, empty where there is none.
	unserved string
}

// level is a block, with what it takes over from the one around it.
type level struct {
	outer      *level
	directives []directive
	locations  []*location
}

type server struct {
	level
	listens []listen
	names   []string
}

type listen struct {
	port         int
	ssl, primary bool // primary: default_server
	http2        bool
}

type location struct {
	level
	kind    string // "", =, ^~, ~, ~*, @
	pattern string
}

// Directives by where they may stand: h http, s server, l location; by how many
// arguments they take; and with a * those that may be served.
const directiveTable = `
server h 0
listen s 1-9
server_name s 1-99
location sl 1-2
ssl_certificate hs 1
ssl_certificate_key hs 1
ssl_protocols hs 1-9
ssl_ciphers* hs 1
ssl_prefer_server_ciphers* hs 1
ssl_ecdh_curve* hs 1
ssl_session_tickets* hs 1
ssl_session_timeout* hs 1
ssl_session_cache hs 1-2
ssl_early_data* hs 1
ssl_dhparam hs 1
ssl_stapling hs 1
ssl_stapling_verify hs 1
ssl_trusted_certificate hs 1
ssl_client_certificate hs 1
ssl_verify_client hs 1
ssl_verify_depth hs 1
ssl_buffer_size* hs 1
ssl_conf_command hs 2
resolver hsl 1-9
resolver_timeout hsl 1
http2 hs 1
add_header hsl 2-3
return sl 1-2
rewrite sl 2-3
if sl 1-99
set sl 2
root hsl 1
alias l 1
index hsl 1-99
try_files sl 2-99
error_page hsl 2-99
internal l 0
server_tokens* hsl 1
charset* hsl 1
default_type* hsl 1
etag* hsl 1
expires hsl 1-2
autoindex* hsl 1
sendfile* hsl 1
tcp_nopush* hsl 1
tcp_nodelay* hsl 1
keepalive_timeout* hsl 1-2
keepalive_requests* hsl 1
client_max_body_size* hsl 1
client_body_timeout* hsl 1
client_header_timeout* hs 1
send_timeout* hsl 1
types_hash_max_size hsl 1
server_names_hash_bucket_size h 1
gzip hsl 1
gzip_types hsl 1-99
gzip_vary hsl 1
gzip_comp_level hsl 1
gzip_min_length hsl 1
gzip_proxied hsl 1-9
access_log hsl 1-9
error_log hsl 1-2
log_not_found hsl 1
log_format h 2-99
limit_req_zone h 3-4
limit_req hsl 1-3
limit_except l 1-9
allow hsl 1
deny hsl 1
auth_basic hsl 1
auth_basic_user_file hsl 1
proxy_pass l 1
proxy_set_header hsl 2
proxy_http_version hsl 1
proxy_hide_header hsl 1
proxy_read_timeout hsl 1
proxy_connect_timeout hsl 1
proxy_send_timeout hsl 1
proxy_redirect hsl 1-2
proxy_buffering hsl 1
proxy_ssl_verify hsl 1
upstream h 1
map h 2
types hsl 0
`

// rule is a line of the table.
type rule struct {
	name, where string
	least, most int
	served      bool
}

func rules() map[string]rule {
	all := map[string]rule{}
	for line := range strings.SplitSeq(strings.TrimSpace(directiveTable), "\n") {
		words := strings.Fields(line)
		r := rule{where: words[1]}
		r.name, r.served = strings.CutSuffix(words[0], "*")
		low, high, isRange := strings.Cut(words[2], "-")
		r.least, _ = strconv.Atoi(low)
		if r.most = r.least; isRange {
			r.most, _ = strconv.Atoi(high)
		}
		all[r.name] = r
	}
	return all
}

// Read reads a file of the block http. The error says what nginx would not start with,
// or what this package does not know.
func Read(files Files, name string) (*Config, error) {
	r := &reader{files: files}
	all, err := r.file(name)
	if err != nil {
		return nil, err
	}
	c := &Config{main: &level{directives: all}, all: all}
	known := rules()
	if err := c.check(known, all, 'h'); err != nil {
		return nil, err
	}
	for _, d := range all {
		if d.name != "server" {
			continue
		}
		s := &server{level: level{outer: c.main, directives: d.block}}
		if err := s.read(); err != nil {
			return nil, err
		}
		c.servers = append(c.servers, s)
	}
	return c, nil
}

// blocks are the directives that have one.
var blocks = []string{"server", "location", "if", "limit_except", "upstream", "map", "types"}

// once are directives that may stand once in a block.
var once = []string{"root", "alias", "index", "ssl_protocols", "ssl_ciphers", "server_tokens", "default_type", "try_files", "internal", "charset", "autoindex", "etag"}

// check holds directives against the table.
func (c *Config) check(known map[string]rule, all []directive, where byte) error {
	seen := map[string]bool{}
	for _, d := range all {
		r, ok := known[d.name]
		switch {
		case !ok:
			return d.errorf(suggest(d.name, known), "unknown directive %q", d.name)
		case strings.IndexByte(r.where, where) < 0:
			return d.errorf("", "directive %q is not allowed here", d.name)
		case len(d.args) < r.least || len(d.args) > r.most:
			return d.errorf("is a ; missing?", "directive %q has a wrong number of arguments", d.name)
		case d.hasBlock != slices.Contains(blocks, d.name):
			return d.errorf("", "directive %q %s a block", d.name, map[bool]string{true: "has no", false: "has"}[slices.Contains(blocks, d.name)])
		case seen[d.name] && d.name != "index" && slices.Contains(once, d.name):
			return d.errorf("keep one of the two", "directive %q is duplicate", d.name)
		}
		seen[d.name] = true
		if err := checkArguments(d); err != nil {
			return err
		}
		if !servable(r, d) && c.unserved == "" {
			c.unserved = d.name
		}
		var err error
		switch d.name {
		case "server":
			err = c.check(known, d.block, 's')
		case "location":
			err = c.check(known, d.block, 'l')
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func suggest(name string, known map[string]rule) string {
	var names []string
	for name := range known {
		names = append(names, name)
	}
	slices.Sort(names)
	return failure.DidYouMean(name, names, "")
}

// checkArguments looks at arguments as far as the labs ask for them.
func checkArguments(d directive) error {
	for _, arg := range d.args {
		if len(arg) >= maxParameter {
			return d.errorf("is a quote missing?", "%s has a parameter that is too long", d.name)
		}
	}
	switch d.name {
	case "ssl_protocols":
		for _, version := range d.args {
			if !slices.Contains([]string{"SSLv2", "SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"}, version) {
				return d.errorf("write TLSv1.2 TLSv1.3", "ssl_protocols knows no %q", version)
			}
		}
	case "add_header":
		if len(d.args) == 3 && d.args[2] != "always" {
			return d.errorf("put the value in quotes", "the third argument of add_header can be always alone, not %q", d.args[2])
		}
	case "return":
		if code, err := strconv.Atoi(d.args[0]); (err != nil || code < 0 || code > 999) && len(d.args) == 2 {
			return d.errorf("", "return knows no code %q", d.args[0])
		} else if err != nil && !isURL(d.args[0]) && !strings.HasPrefix(d.args[0], "$scheme") {
			return d.errorf("", "return knows no code %q", d.args[0])
		}
	case "if":
		_, err := readIf(d)
		return err
	}
	return nil
}

func isURL(text string) bool {
	return strings.HasPrefix(text, "http://") || strings.HasPrefix(text, "https://")
}

// read reads the listens, names and locations of a server.
func (s *server) read() error {
	for _, d := range s.directives {
		switch d.name {
		case "listen":
			l, err := readListen(d)
			if err != nil {
				return err
			}
			s.listens = append(s.listens, l)
		case "server_name":
			s.names = append(s.names, d.args...)
		}
	}
	if s.listens == nil {
		s.listens = []listen{{port: 80}}
	}
	return s.readLocations()
}

func readListen(d directive) (l listen, err error) {
	address := d.args[0]
	if strings.HasPrefix(address, "unix:") {
		return l, d.errorf("", "this lab does not read listen on sockets of the file system")
	}
	port := address
	if host, after, err := net.SplitHostPort(address); err == nil {
		_, port = host, after
	} else if _, err := strconv.Atoi(address); err != nil {
		port = "80"
	}
	if l.port, err = strconv.Atoi(port); err != nil || l.port < 1 || l.port > 65535 {
		return l, d.errorf("", "listen knows no port %q", port)
	}
	for _, option := range d.args[1:] {
		switch {
		case option == "ssl":
			l.ssl = true
		case option == "default_server" || option == "default":
			l.primary = true
		case option == "http2":
			l.http2 = true
		case option == "reuseport" || option == "deferred" || option == "bind" || strings.Contains(option, "="):
		default:
			return l, d.errorf("", "listen knows no %q", option)
		}
	}
	return l, nil
}

func (l *level) readLocations() error {
	for _, d := range l.directives {
		if d.name != "location" {
			continue
		}
		loc := &location{level: level{outer: l, directives: d.block}, pattern: d.args[len(d.args)-1]}
		if len(d.args) == 2 {
			loc.kind = d.args[0]
			if !slices.Contains([]string{"=", "^~", "~", "~*"}, loc.kind) {
				return d.errorf("", "location knows no modifier %q", loc.kind)
			}
		} else {
			for _, kind := range [...]string{"=", "^~", "~*", "~", "@"} { // may be written without a blank
				if rest, ok := strings.CutPrefix(loc.pattern, kind); ok {
					loc.kind, loc.pattern = kind, rest
					break
				}
			}
		}
		for _, other := range l.locations {
			if other.kind == loc.kind && other.pattern == loc.pattern {
				return d.errorf("", "there are two of location %s", strings.Join(d.args, " "))
			}
		}
		if err := loc.readLocations(); err != nil {
			return err
		}
		l.locations = append(l.locations, loc)
	}
	return nil
}

// find returns the last directives of a name on the innermost level that has any:
// what is set on a level takes the place of all from outside.
func (l *level) find(name string) []directive {
	for ; l != nil; l = l.outer {
		var found []directive
		for _, d := range l.directives {
			if d.name == name {
				found = append(found, d)
			}
		}
		if found != nil {
			return found
		}
	}
	return nil
}

// own returns the directives of a name that stand on the level itself.
func (l *level) own(name string) []directive {
	return (&level{directives: l.directives}).find(name)
}
