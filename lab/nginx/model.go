package nginx

import (
	"fmt"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Response is an answer to a request.
type Response struct {
	Status int
	Header http.Header
}

// Answers answers requests: by what is known of nginx, or nginx itself.
type Answers interface {
	// Get asks for a path, which may have a query, of a host at port 80 or, with TLS,
	// at 443.
	Get(tls bool, host, path string) (*Response, error)
}

// server returns the one that answers on a port: by name, or else the default, which is
// the first.
func (c *Config) server(port int, host string) *server {
	var first *server
	best, length := (*server)(nil), -1
	for _, s := range c.servers {
		i := slices.IndexFunc(s.listens, func(l listen) bool { return l.port == port })
		if i < 0 {
			continue
		}
		if first == nil || s.listens[i].primary {
			first = s
		}
		for _, name := range s.names {
			if n := nameMatches(name, host); n > length {
				best, length = s, n
			}
		}
	}
	if best != nil {
		return best
	}
	return first
}

// nameMatches says how well a server_name fits: exact names before those with a *.
func nameMatches(name, host string) int {
	name, host = strings.ToLower(name), strings.ToLower(host)
	switch {
	case name == host:
		return 10000
	case strings.HasPrefix(name, "*.") && strings.HasSuffix(host, name[1:]):
		return 5000 + len(name)
	case strings.HasPrefix(name, ".") && (strings.HasSuffix(host, name) || host == name[1:]):
		return 5000 + len(name)
	case strings.HasSuffix(name, ".*") && strings.HasPrefix(host, name[:len(name)-1]):
		return 1000 + len(name)
	case strings.HasPrefix(name, "~"):
		if re, err := regexp.Compile(name[1:]); err == nil && re.MatchString(host) {
			return 1
		}
	}
	return -1
}

// TLS says whether a port speaks TLS: it is enough that one server there says so.
func (c *Config) TLS(port int) bool {
	return slices.ContainsFunc(c.servers, func(s *server) bool {
		return slices.ContainsFunc(s.listens, func(l listen) bool { return l.port == port && l.ssl })
	})
}

// Protocols returns those of ssl_protocols that hold on port 443 for all names, which
// are those of its default server; nil where nothing is set.
func (c *Config) Protocols() []string {
	s := c.server(443, "\x00")
	if s == nil {
		return nil
	}
	found := s.find("ssl_protocols")
	if found == nil {
		return nil
	}
	return found[len(found)-1].args
}

// Certificate returns the names of the files with the certificate and the key of a host
// on port 443, without the first slash.
func (c *Config) Certificate(host string) (cert, key string) {
	s := c.server(443, host)
	if s == nil {
		return "", ""
	}
	name := func(directive string) string {
		found := s.find(directive)
		if found == nil {
			return ""
		}
		return absolute(found[0].args[0])
	}
	return name("ssl_certificate"), name("ssl_certificate_key")
}

// Model answers as nginx would from a directory with index.html alone.
func (c *Config) Model() Answers { return model{c} }

type model struct{ c *Config }

// request is one on its way through the phases.
type request struct {
	tls             bool
	host, uri, args string
	original        string // as it was asked for
	name            string // the first of its server
	redirects       int
	status          int               // of the error whose page is sent, or 0
	mapped          []directive       // each is a map
	set             map[string]string // by names of variables, without $
}

func (m model) Get(tls bool, host, target string) (*Response, error) {
	port := 80
	if tls {
		port = 443
	}
	s := m.c.server(port, host)
	if s == nil {
		return nil, fmt.Errorf("nothing listens on port %d", port)
	}
	switch {
	case tls && !m.c.TLS(port):
		return nil, fmt.Errorf("port %d does not speak TLS: ssl is missing in listen", port)
	case !tls && m.c.TLS(port):
		return &Response{Status: http.StatusBadRequest, Header: http.Header{}}, nil
	}
	uri, args, _ := strings.Cut(target, "?")
	r := &request{tls: tls, host: host, uri: uri, args: args, original: target, mapped: m.c.main.own("map"), set: map[string]string{}}
	if len(s.names) > 0 {
		r.name = s.names[0]
	}
	if rewritten, ok := r.rewrite(&s.level); ok {
		return rewritten, nil
	}
	return r.locate(s), nil
}

// locate has the location of a request answer it.
func (r *request) locate(s *server) *Response {
	if r.redirects++; r.redirects > 10 {
		return r.answer(&s.level, http.StatusInternalServerError, "")
	}
	l := &s.level
	if loc := l.locate(r.uri); loc != nil {
		l = &loc.level
	}
	return r.in(s, l)
}

func (r *request) in(s *server, l *level) *Response {
	if l != &s.level {
		if rewritten, ok := r.rewrite(l); ok {
			return r.errorPage(s, l, rewritten)
		}
		if l.own("internal") != nil && r.redirects == 1 {
			return r.errorPage(s, l, r.answer(l, http.StatusNotFound, ""))
		}
	}
	if l.own("proxy_pass") != nil { // the application: it has / alone
		if r.uri == "/" {
			return r.answer(l, http.StatusOK, "")
		}
		return r.answer(l, http.StatusNotFound, "")
	}
	if found := l.own("try_files"); found != nil {
		return r.tryFiles(s, l, found[0].args)
	}
	return r.static(s, l)
}

// static answers with a file: there is index.html alone.
func (r *request) static(s *server, l *level) *Response {
	if strings.HasSuffix(r.uri, "/") && path.Clean(r.uri) == "/" {
		for _, name := range indexOf(l) {
			if strings.TrimPrefix(name, "/") == "index.html" {
				r.uri = "/index.html"
				return r.locate(s)
			}
		}
		return r.errorPage(s, l, r.answer(l, http.StatusForbidden, ""))
	}
	if path.Clean(r.uri) == "/index.html" {
		return r.answer(l, http.StatusOK, "")
	}
	return r.errorPage(s, l, r.answer(l, http.StatusNotFound, ""))
}

func indexOf(l *level) []string {
	var names []string
	for _, d := range l.find("index") {
		names = append(names, d.args...)
	}
	if names == nil {
		return []string{"index.html"}
	}
	return names
}

func (r *request) tryFiles(s *server, l *level, args []string) *Response {
	for _, arg := range args[:len(args)-1] {
		name := r.expand(arg)
		dir := strings.HasSuffix(arg, "/")
		clean := path.Clean("/" + name)
		if dir && clean == "/" || !dir && clean == "/index.html" {
			r.uri = name
			return r.static(s, l)
		}
	}
	last := args[len(args)-1]
	if code, ok := strings.CutPrefix(last, "="); ok {
		status, _ := strconv.Atoi(code)
		return r.errorPage(s, l, r.answer(l, status, ""))
	}
	if name, ok := strings.CutPrefix(last, "@"); ok {
		for _, loc := range s.locations {
			if loc.kind == "@" && loc.pattern == name {
				r.redirects++
				return r.in(s, &loc.level)
			}
		}
		return r.answer(l, http.StatusInternalServerError, "")
	}
	r.uri, r.args, _ = strings.Cut(r.expand(last), "?")
	return r.locate(s)
}

// errorPage sends the page of an error in its place: one internal redirect, after which
// there is no other.
func (r *request) errorPage(s *server, l *level, response *Response) *Response {
	if response.Status < 300 || r.status != 0 {
		return response
	}
	for _, d := range l.find("error_page") {
		codes, target := d.args[:len(d.args)-1], d.args[len(d.args)-1]
		change := ""
		if last := codes[len(codes)-1]; strings.HasPrefix(last, "=") {
			codes, change = codes[:len(codes)-1], last[1:]
		}
		if !slices.Contains(codes, strconv.Itoa(response.Status)) {
			continue
		}
		r.status = response.Status
		var page *Response
		switch {
		case isURL(target):
			return r.answer(l, http.StatusFound, r.expand(target))
		case strings.HasPrefix(target, "@"):
			page = r.tryFiles(s, l, []string{target})
		default:
			r.uri = target
			page = r.locate(s)
		}
		if page.Status == http.StatusOK && change == "" {
			page = r.again(s, r.status)
		} else if code, err := strconv.Atoi(change); err == nil && page.Status == http.StatusOK {
			page = r.again(s, code)
		}
		return page
	}
	return response
}

// again is the same page with the status that it stands for: headers depend on that.
func (r *request) again(s *server, status int) *Response {
	l := &s.level
	if loc := l.locate(r.uri); loc != nil {
		l = &loc.level
	}
	return r.answer(l, status, "")
}

// rewrite is what return and rewrite do on a level.
func (r *request) rewrite(l *level) (*Response, bool) {
	for _, d := range l.directives {
		switch d.name {
		case "set":
			if ofRequest(d.args[1]) {
				r.set[strings.TrimPrefix(d.args[0], "$")] = shortened(r.expand(d.args[1]))
			}
		case "return":
			return r.returned(l, d.args), true
		case "if":
			if i, err := readIf(d); err == nil && i.holds(r) {
				return r.returned(l, i.back.args), true
			}
		case "rewrite":
			if location, code, ok := r.rewritten(d.args); ok {
				return r.answer(l, code, location), true
			}
		}
	}
	return nil, false
}

func (r *request) returned(l *level, args []string) *Response {
	code, err := strconv.Atoi(args[0])
	if err != nil {
		return r.answer(l, http.StatusFound, r.expand(args[0]))
	}
	if len(args) == 2 && slices.Contains([]int{301, 302, 303, 307, 308}, code) {
		return r.answer(l, code, r.expand(args[1]))
	}
	return r.answer(l, code, "")
}

// rewritten is a rewrite that sends the client elsewhere.
func (r *request) rewritten(args []string) (location string, code int, ok bool) {
	code = http.StatusFound
	if len(args) == 3 && args[2] == "permanent" {
		code = http.StatusMovedPermanently
	} else if !redirects(args) {
		return "", 0, false
	}
	re, err := regexp.Compile(args[0])
	if err != nil {
		return "", 0, false
	}
	groups := re.FindStringSubmatch(r.uri)
	if groups == nil {
		return "", 0, false
	}
	target := r.expand(args[1])
	for i := len(groups) - 1; i > 0; i-- {
		target = strings.ReplaceAll(target, "$"+strconv.Itoa(i), groups[i])
	}
	if target, plain := strings.CutSuffix(target, "?"); plain {
		return target, code, true
	}
	if r.args != "" { // once more, if a variable has brought them already
		sign := "?"
		if strings.Contains(args[1], "?") {
			sign = "&"
		}
		target += sign + r.args
	}
	return target, code, true
}

// answer has the headers that add_header adds on a level: those of the level itself, or
// else of the next around it that has any; with an error those with always alone.
func (r *request) answer(l *level, status int, location string) *Response {
	response := &Response{Status: status, Header: http.Header{}}
	if location != "" {
		response.Header.Set("Location", location)
	}
	fine := slices.Contains([]int{200, 201, 204, 206, 301, 302, 303, 304, 307, 308}, status)
	for _, d := range l.find("add_header") {
		if value := r.expand(d.args[1]); value != "" && (fine || len(d.args) == 3) {
			response.Header.Add(d.args[0], value)
		}
	}
	return response
}

// locate finds the location of a path: an exact one, or else the longest beginning,
// unless a pattern matches and that beginning does not forbid patterns.
func (l *level) locate(uri string) *location {
	best := l.longest(uri)
	switch {
	case best == nil:
	case best.kind == "=":
		return best
	default:
		if inner := best.locate(uri); inner != nil {
			return inner
		}
		if best.kind == "^~" {
			return best
		}
	}
	for _, loc := range l.locations {
		if loc.matches(uri) {
			if inner := loc.locate(uri); inner != nil {
				return inner
			}
			return loc
		}
	}
	return best
}

// longest returns the exact location of a path, or that of its longest beginning.
func (l *level) longest(uri string) (best *location) {
	for _, loc := range l.locations {
		switch loc.kind {
		case "=":
			if loc.pattern == uri {
				return loc
			}
		case "", "^~":
			if strings.HasPrefix(uri, loc.pattern) && (best == nil || len(loc.pattern) > len(best.pattern)) {
				best = loc
			}
		}
	}
	return best
}

// matches says whether a location with a pattern is that of a path.
func (l *location) matches(uri string) bool {
	pattern := l.pattern
	switch l.kind {
	case "~":
	case "~*":
		pattern = "(?i)" + pattern
	default:
		return false
	}
	re, err := regexp.Compile(pattern)
	return err == nil && re.MatchString(uri)
}
