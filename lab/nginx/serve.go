//go:build unix

package nginx

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// ErrNotServed says that nginx itself was not run: the configuration has a directive
// that is not known to be harmless, or nginx is too old or too slow.
var ErrNotServed = errors.New("nginx was not run")

// Running is nginx, run with a configuration that has the answers of another's.
type Running struct {
	dir  string
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
	// names has those of the copies of certificates and keys, by their old.
	names map[string]string
	errs  bytes.Buffer // what it has said, to be read when it has ended
}

// startTime is how long nginx may take to answer.
const startTime = 10 * time.Second

// Serve has the program nginx run a configuration until Close. What it runs with is
// written anew from what was read, with harmless directives alone (render.go), in a
// private directory, with copies of certificates and keys, and sockets there; it is a
// process of its own without children. An error other than ErrNotServed is what nginx
// refuses.
func (c *Config) Serve(ctx context.Context, program string, files Files) (*Running, error) {
	if c.unserved != "" {
		return nil, fmt.Errorf("%w: %s", ErrNotServed, c.unserved)
	}
	dir, err := os.MkdirTemp("", "pkictl-nginx-")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotServed, err)
	}
	r := &Running{dir: dir, done: make(chan struct{})}
	if err := r.prepare(c, files); err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	// -e keeps it from opening the log file that it was built with.
	r.cmd = exec.Command(program, "-p", dir, "-c", filepath.Join(dir, "nginx.conf"), "-e", "stderr")
	r.cmd.Dir, r.cmd.Env, r.cmd.Stderr = dir, []string{"PATH=/usr/bin:/bin", "LC_ALL=C"}, &limited{to: &r.errs}
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // without a terminal, where it would ask for passphrases
	r.cmd.WaitDelay = time.Second
	if err := r.cmd.Start(); err != nil {
		_ = os.RemoveAll(dir)
		return nil, fmt.Errorf("%w: %w", ErrNotServed, err)
	}
	go func() { _ = r.cmd.Wait(); close(r.done) }()
	if err := r.ready(ctx, c); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// limited keeps the beginning of what is written.
type limited struct{ to *bytes.Buffer }

func (l *limited) Write(data []byte) (int, error) {
	if room := 16<<10 - l.to.Len(); room > 0 {
		l.to.Write(data[:min(room, len(data))])
	}
	return len(data), nil
}

// prepare writes what nginx reads.
func (r *Running) prepare(c *Config, files Files) error {
	for _, name := range [...]string{"html", "temp"} {
		if err := os.Mkdir(filepath.Join(r.dir, name), 0o700); err != nil {
			return fmt.Errorf("%w: %w", ErrNotServed, err)
		}
	}
	r.names = map[string]string{}
	if err := r.copyPairs(c.all, files, r.names); err != nil {
		return err
	}
	if err := r.write("html/index.html", []byte("ok\n")); err != nil {
		return err
	}
	return r.write("nginx.conf", []byte(c.render(r.dir, r.names)))
}

func (r *Running) write(name string, data []byte) error {
	if err := os.WriteFile(filepath.Join(r.dir, name), data, 0o600); err != nil {
		return fmt.Errorf("%w: %w", ErrNotServed, err)
	}
	return nil
}

// copyPairs copies certificates and keys; names has the names of the copies by the old.
func (r *Running) copyPairs(all []directive, files Files, names map[string]string) error {
	for _, d := range all {
		if err := r.copyPairs(d.block, files, names); err != nil {
			return err
		}
		if d.name != "ssl_certificate" && d.name != "ssl_certificate_key" {
			continue
		}
		name := absolute(d.args[0])
		if names[name] != "" {
			continue
		}
		data, err := files.Read(name)
		if err != nil {
			return d.errorf("", "cannot load %s: %v", d.args[0], err)
		}
		names[name] = fmt.Sprintf("pem%d", len(names))
		if err := r.write(names[name], data); err != nil {
			return err
		}
	}
	return nil
}

// ready waits until it listens on all its sockets, or has ended.
func (r *Running) ready(ctx context.Context, c *Config) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	if len(c.servers) == 0 {
		return fmt.Errorf("%w: there is no server", ErrNotServed)
	}
	for _, s := range c.servers {
		for _, l := range s.listens {
			if err := r.listens(ctx, socket(r.dir, l.port)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *Running) listens(ctx context.Context, name string) error {
	for {
		connection, err := net.Dial("unix", name)
		if err == nil {
			return connection.Close()
		}
		select {
		case <-r.done:
			return r.refused()
		case <-ctx.Done():
			return fmt.Errorf("%w: it did not listen in time", ErrNotServed)
		case <-time.After(3 * time.Millisecond):
		}
	}
}

// refused says why nginx has ended, without the names of our copies.
func (r *Running) refused() error {
	text := r.errs.String()
	if strings.Contains(text, "invalid option") {
		return fmt.Errorf("%w: it is too old", ErrNotServed)
	}
	for line := range strings.Lines(text) {
		if _, message, ok := strings.Cut(line, "[emerg] "); ok {
			if _, after, ok := strings.Cut(message, ": "); ok && strings.Contains(message[:len(message)-len(after)], "#") {
				message = after // without the process
			}
			message, _, _ = strings.Cut(message, " in "+r.dir)
			return fmt.Errorf("nginx refuses it: %s", r.plain(message))
		}
	}
	return fmt.Errorf("%w: it has ended", ErrNotServed)
}

// plain is a message of nginx with the names that the learner knows, and without what
// OpenSSL has to add.
func (r *Running) plain(message string) string {
	passphrase := strings.Contains(message, "bad password read") || strings.Contains(message, "problems getting password")
	message, _, _ = strings.Cut(message, " (SSL:")
	message = strings.ReplaceAll(message, r.dir+"/", "")
	for name, copied := range r.names {
		message = strings.ReplaceAll(message, `"`+copied+`"`, `"/`+name+`"`)
	}
	if passphrase {
		message += ": it has a passphrase, and nobody is there to type it when nginx starts"
	}
	return strings.TrimSpace(message)
}

// Close ends it, and removes what was written.
func (r *Running) Close() {
	_ = syscall.Kill(-r.cmd.Process.Pid, syscall.SIGKILL)
	<-r.done
	_ = os.RemoveAll(r.dir)
}

// Get asks nginx itself.
func (r *Running) Get(tls bool, host, path string) (*Response, error) {
	response, _, err := r.ask(tls, host, path, nil)
	return response, err
}

// Certificates returns those that nginx sends for a host, in any or in one version of TLS.
func (r *Running) Certificates(host string, version uint16) ([]*x509.Certificate, error) {
	_, certs, err := r.ask(true, host, "/", &tls.Config{MinVersion: version, MaxVersion: version})
	return certs, err
}

func (r *Running) ask(secure bool, host, path string, config *tls.Config) (*Response, []*x509.Certificate, error) {
	port, scheme := 80, "http"
	if secure {
		port, scheme = 443, "https"
	}
	if config == nil {
		config = &tls.Config{}
	}
	config.ServerName, config.InsecureSkipVerify = host, true // whose it is, is asked by who calls
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", socket(r.dir, port))
		},
		TLSClientConfig: config, DisableKeepAlives: true, DisableCompression: true, MaxResponseHeaderBytes: 64 << 10,
	}
	client := &http.Client{Transport: transport, Timeout: startTime, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Get(scheme + "://" + host + path)
	if err != nil {
		if cause := new(net.OpError); errors.As(err, &cause) && cause.Op == "dial" {
			return nil, nil, fmt.Errorf("nothing listens on port %d", port)
		}
		return nil, nil, fmt.Errorf("no answer at %s://%s%s: %w", scheme, host, path, errors.Unwrap(err))
	}
	var certs []*x509.Certificate
	if response.TLS != nil {
		certs = response.TLS.PeerCertificates
	}
	return &Response{Status: response.StatusCode, Header: response.Header}, certs, response.Body.Close()
}
