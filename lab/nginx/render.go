package nginx

import (
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// dropped are directives that change nothing of what is asked, and are left out of what
// nginx runs with: among them are all that name files.
var dropped = []string{"access_log", "error_log", "log_not_found", "ssl_session_cache", "ssl_stapling", "ssl_stapling_verify", "http2", "gzip", "gzip_types", "gzip_vary",
	"gzip_comp_level", "gzip_min_length", "gzip_proxied", "expires", "types_hash_max_size", "server_names_hash_bucket_size", "types"}

// rendered are those that are written with other values, or have been looked at.
var rendered = []string{"server", "listen", "server_name", "location", "ssl_certificate", "ssl_certificate_key", "ssl_protocols", "add_header", "return", "root", "index", "try_files", "error_page", "internal", "if", "set", "rewrite", "map"}

// servable says whether nginx itself may be run with a directive. All that is not known
// to be harmless is not: what runs code, opens files or connects to others.
func servable(r rule, d directive) bool {
	switch {
	case slices.Contains(dropped, d.name):
		return true
	case !r.served && !slices.Contains(rendered, d.name):
		return false
	}
	for _, arg := range d.args {
		if strings.ContainsRune(arg, 0) {
			return false
		}
		switch d.name {
		case "try_files", "error_page", "index":
			if !staysBelow(arg) {
				return false
			}
		case "server_name":
			if strings.Contains(arg, "..") || strings.ContainsAny(arg, "{}()") { // nor a pattern
				return false
			}
		case "ssl_certificate", "ssl_certificate_key":
			if strings.ContainsAny(arg, "$:") { // a variable, data:, or engine:
				return false
			}
		}
	}
	switch d.name {
	case "rewrite":
		return redirects(d.args)
	case "set":
		return ofRequest(d.args[1])
	case "map":
		return ofRequest(d.args[0]) && !slices.ContainsFunc(d.block, func(entry directive) bool {
			text := strings.Join(entry.args, "")
			return entry.hasBlock || len(entry.args) > 1 || strings.ContainsRune(entry.name+text, 0) || !ofRequest(text)
		})
	}
	return true
}

// staysBelow says whether what nginx makes of a name of a file is below the root, too:
// one without .., and with no variable but those that nginx has made sure of. What a
// pattern has caught, or set and map have made, may be any name.
func staysBelow(name string) bool {
	name, _, _ = strings.Cut(name, "?") // no query names a file
	return !strings.Contains(name, "..") && !strings.ContainsAny(strings.NewReplacer("${uri}", "").Replace(name), "{}()") &&
		onlyVariables(name, "uri", "document_uri")
}

// redirects says that a rewrite sends the client elsewhere, and does not name a file
// here.
func redirects(args []string) bool {
	return isURL(args[1]) || strings.HasPrefix(args[1], "$scheme") || len(args) == 3 && (args[2] == "redirect" || args[2] == "permanent")
}

// render writes a configuration that has the same answers, but reads and writes below a
// private directory alone and listens on sockets in it. Certificates and keys have new
// names there, by their old.
func (c *Config) render(dir string, names map[string]string) string {
	w := &writer{dir: dir, names: names}
	w.line(0, "daemon", "off")
	w.line(0, "master_process", "off")
	w.line(0, "worker_processes", "1")
	w.line(0, "error_log", "stderr", "error")
	w.line(0, "pid", filepath.Join(dir, "pid"))
	w.text.WriteString("events { worker_connections 64; }\nhttp {\n")
	w.line(1, "access_log", "off")
	for _, name := range [...]string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		w.line(1, name+"_temp_path", filepath.Join(dir, "temp"))
	}
	w.line(1, "server_names_hash_bucket_size", "128")
	w.line(1, "root", filepath.Join(dir, "html"))
	w.block(1, c.all)
	w.text.WriteString("}\n")
	return w.text.String()
}

type writer struct {
	text  strings.Builder
	dir   string
	names map[string]string
}

func (w *writer) line(depth int, name string, args ...string) {
	w.open(depth, name, args...)
	w.text.WriteString(";\n")
}

func (w *writer) open(depth int, name string, args ...string) {
	w.text.WriteString(strings.Repeat("  ", depth) + name)
	for _, arg := range args {
		w.text.WriteString(` "` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(arg) + `"`)
	}
}

func (w *writer) block(depth int, all []directive) {
	w.listens(depth, all)
	for _, d := range all {
		switch d.name {
		case "listen", "root": // root is that of our own
		case "ssl_certificate", "ssl_certificate_key":
			w.line(depth, d.name, filepath.Join(w.dir, w.names[absolute(d.args[0])]))
		case "if":
			if i, err := readIf(d); err == nil { // Read has refused others
				i.write(w, depth)
			}
		case "map":
			w.open(depth, d.name, d.args...)
			w.text.WriteString(" {\n")
			for _, entry := range d.block {
				w.line(depth+1, "", append([]string{entry.name}, entry.args...)...)
			}
			w.text.WriteString(strings.Repeat("  ", depth) + "}\n")
		case "server", "location":
			w.open(depth, d.name, d.args...)
			w.text.WriteString(" {\n")
			if d.name == "server" && (&level{directives: d.block}).own("listen") == nil {
				w.line(depth+1, "listen", "unix:"+socket(w.dir, 80)) // as nginx does
			}
			w.block(depth+1, d.block)
			w.text.WriteString(strings.Repeat("  ", depth) + "}\n")
		default:
			if !slices.Contains(dropped, d.name) {
				w.line(depth, d.name, d.args...)
			}
		}
	}
}

// listens writes a socket for each port.
func (w *writer) listens(depth int, all []directive) {
	ports := map[int]listen{}
	var order []int
	for _, d := range all {
		if d.name != "listen" {
			continue
		}
		l, err := readListen(d)
		if err != nil {
			continue // Read has refused it
		}
		old, there := ports[l.port]
		if !there {
			order = append(order, l.port)
		}
		l.ssl, l.primary = l.ssl || old.ssl, l.primary || old.primary
		ports[l.port] = l
	}
	for _, port := range order {
		args := []string{"unix:" + socket(w.dir, port)}
		if ports[port].ssl {
			args = append(args, "ssl")
		}
		if ports[port].primary {
			args = append(args, "default_server")
		}
		w.line(depth, "listen", args...)
	}
}

func socket(dir string, port int) string { return filepath.Join(dir, strconv.Itoa(port)) }
