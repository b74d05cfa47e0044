package lab

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/yamlfile"
	"github.com/pkictl/pkictl/lab/nginx"
)

// readNginxCheck reads the parameters of a check of a configuration of nginx:
//
//	file         what stands in the block http, as etc/nginx/conf.d/app.conf; what it
//	             names below /etc/nginx is looked for below etc/nginx in the workspace
//	host         whom the requests are for
//	protocols    [TLSv1.2, TLSv1.3]: those of TLS, and no others
//	certificate  the file whose first certificate is sent on port 443
//	redirect     [301, 308]: with one of these port 80 sends all to https at the same host
//	header       {name: NAME, value: VALUE, paths: {PATH: STATUS}}: on port 443 answers
//	             have this header; policies of a Content-Security-Policy may be in any order
//
// Where the machine has nginx, and the configuration is harmless, nginx itself is asked
// (nginx.Config.Serve); elsewhere it is computed how nginx would answer.
func readNginxCheck(p *params) (grader, error) {
	c := &nginxCheck{params: p}
	err := p.fields(
		p.file("file", &c.file),
		yamlfile.Key{Name: "host", Read: p.line("host", &c.host)},
		add(&c.conditions, "protocols", c.protocols),
		add(&c.conditions, "certificate", c.certificate),
		add(&c.conditions, "redirect", c.redirect),
		yamlfile.Key{Name: "header", Read: c.header},
	)
	if err == nil && c.host == "" {
		err = p.ErrorAt(p.node, "name the host that requests are for", "%s has no field %q", p.what, "host")
	}
	if err == nil {
		err = p.someOf(len(c.conditions), c.file)
	}
	return c.grade, err
}

type nginxCheck struct {
	*params
	file, host string
	conditions []condition[*nginxAnswers]
}

// nginxAnswers is a configuration, and who answers by it.
type nginxAnswers struct {
	*nginx.Config
	nginx.Answers
	running *nginx.Running // nil where the answers are computed
}

func (c *nginxCheck) grade(ctx context.Context, w *work) finding {
	wanted := "a configuration in " + c.file + " that nginx starts with"
	if _, found := w.learner.file(c.file, maxHostFile); found != "" {
		return finding{wanted: wanted, found: found}
	}
	answers, err := w.nginxAnswers(ctx, c.file)
	if err != nil {
		return finding{wanted: wanted, found: withHint(err)}
	}
	return judge(answers, w, c.conditions)
}

// nginxResult is kept for all checks of a lab.
type nginxResult struct {
	answers *nginxAnswers
	err     error
}

// nginxAnswers reads a configuration, and has nginx run with it until all is graded.
func (w *work) nginxAnswers(ctx context.Context, file string) (*nginxAnswers, error) {
	if r, ok := w.nginx[file]; ok {
		return r.answers, r.err
	}
	answers, err := w.startNginx(ctx, file)
	if w.nginx == nil {
		w.nginx = map[string]nginxResult{}
	}
	w.nginx[file] = nginxResult{answers, err}
	return answers, err
}

func (w *work) startNginx(ctx context.Context, file string) (*nginxAnswers, error) {
	files := w.nginxFiles()
	config, err := nginx.Read(files, file)
	if err != nil {
		return nil, err
	}
	if w.machine != nil && w.machine.Nginx != "" {
		running, err := config.Serve(ctx, w.machine.Nginx, files)
		if err == nil {
			return &nginxAnswers{config, running, running}, nil
		}
		if !errors.Is(err, nginx.ErrNotServed) {
			return nil, err
		}
	}
	if err := config.CheckCertificates(files); err != nil {
		return nil, err
	}
	return &nginxAnswers{Config: config, Answers: config.Model()}, nil
}

// closeNginx ends what startNginx has started.
func (w *work) closeNginx() {
	for _, r := range w.nginx {
		if r.answers != nil && r.answers.running != nil {
			r.answers.running.Close()
		}
	}
}

// nginxFiles are those below /etc/nginx, of which a workspace has a part.
func (w *work) nginxFiles() nginx.Files {
	below := func(name string) bool { return strings.HasPrefix(name+"/", "etc/nginx/") }
	return nginx.Files{
		Read: func(name string) ([]byte, error) {
			if !below(name) {
				return nil, fmt.Errorf("nothing is known here of /%s, which is not below /etc/nginx", name)
			}
			data, found := w.learner.file(name, maxHostFile)
			if found != "" && !strings.HasSuffix(found, " is empty") {
				return nil, errors.New(found)
			}
			return data, nil
		},
		List: func(dir string) []string {
			switch {
			case dir == "":
				return []string{"etc"}
			case dir == "etc":
				return []string{"nginx"}
			case below(dir):
				return w.learner.list(dir)
			}
			return nil
		},
	}
}

func (c *nginxCheck) protocols(n *yaml.Node) (condition[*nginxAnswers], error) {
	want, err := c.Texts(n, "protocols")
	slices.Sort(want)
	return func(a *nginxAnswers, _ *work) (string, string, bool) {
		wanted := "ssl_protocols " + strings.Join(want, " ") + " on port 443"
		if !a.TLS(443) {
			return wanted, "port 443 does not speak TLS", false
		}
		is := slices.Compact(slices.Sorted(slices.Values(a.Protocols())))
		if is == nil {
			return wanted, "ssl_protocols is not set there: older versions of nginx then take TLSv1, too", false
		}
		if !slices.Equal(is, want) {
			return wanted, "ssl_protocols " + strings.Join(is, " "), false
		}
		for version, name := range map[uint16]string{tls.VersionTLS12: "TLSv1.2", tls.VersionTLS13: "TLSv1.3"} {
			if a.running == nil || !slices.Contains(want, name) {
				continue
			}
			if _, err := a.running.Certificates(c.host, version); err != nil {
				return wanted, fmt.Sprintf("nginx does not speak %s: %v", name, err), false
			}
		}
		return wanted, "", true
	}, err
}

func (c *nginxCheck) certificate(n *yaml.Node) (condition[*nginxAnswers], error) {
	name, err := c.Text(n, "certificate")
	if err == nil && !isFileName(name) {
		err = c.ErrorAt(n, "write a name below the workspace", "%q is no file in the workspace", name)
	}
	return func(a *nginxAnswers, w *work) (string, string, bool) {
		wanted := "the certificate in " + name + " is sent to who asks for " + c.host + " on port 443"
		if !a.TLS(443) {
			return wanted, "port 443 does not speak TLS", false
		}
		item, found := w.pem(name, ca.ItemCertificate, "certificate")
		if found != "" {
			return wanted, found, false
		}
		is, err := c.sent(a, w)
		if err != nil {
			return wanted, err.Error(), false
		}
		return wanted, "the certificate of " + ca.FormatName(is.RawSubject) + " is sent", bytes.Equal(is.Raw, item.Certificate.X509.Raw)
	}, err
}

// sent returns the certificate that nginx sends.
func (c *nginxCheck) sent(a *nginxAnswers, w *work) (*x509.Certificate, error) {
	if a.running != nil {
		certs, err := a.running.Certificates(c.host, 0)
		if err != nil {
			return nil, err
		}
		return certs[0], nil
	}
	name, _ := a.Certificate(c.host)
	item, found := w.pem(name, ca.ItemCertificate, "certificate")
	if found != "" {
		return nil, errors.New(found)
	}
	return item.Certificate.X509, nil
}

func (c *nginxCheck) redirect(n *yaml.Node) (condition[*nginxAnswers], error) {
	codes := []int{}
	if n.Kind != yaml.SequenceNode || len(n.Content) == 0 {
		return nil, c.ErrorAt(n, "write [301, 308]", "redirect is no list of codes")
	}
	for _, element := range n.Content {
		code, err := c.Number(element, "redirect", 308)
		if err != nil {
			return nil, err
		}
		codes = append(codes, code)
	}
	return func(a *nginxAnswers, _ *work) (string, string, bool) {
		for _, path := range [...]string{"/", "/orders/7?from=mail&lang=en"} {
			target := "https://" + c.host + path
			wanted := fmt.Sprintf("http://%s%s is sent to %s with %s", c.host, path, target, strings.ReplaceAll(strings.Trim(fmt.Sprint(codes), "[]"), " ", " or "))
			r, err := a.Get(false, c.host, path)
			if err != nil {
				return wanted, err.Error(), false
			}
			location := r.Header.Get("Location")
			if !slices.Contains(codes, r.Status) || location != target && location != "https://"+c.host+":443"+path {
				return wanted, strings.TrimSpace(fmt.Sprintf("status %d %s", r.Status, location)), false
			}
		}
		return "port 80 sends all to https", "", true
	}, nil
}

// header reads a header, and where it is to be.
func (c *nginxCheck) header(n *yaml.Node) error {
	var name, value string
	var paths *yaml.Node
	err := c.Mapping(n, "header",
		yamlfile.Key{Name: "name", Read: c.line("name", &name)},
		yamlfile.Key{Name: "value", Read: c.line("value", &value)},
		yamlfile.Key{Name: "paths", Read: func(n *yaml.Node) error { paths = n; return nil }},
	)
	if err == nil && (name == "" || value == "" || paths == nil || len(paths.Content) == 0) {
		err = c.ErrorAt(n, "write it like {name: X-Frame-Options, value: DENY, paths: {/: 200}}", "header has no name, value or paths")
	}
	if err != nil {
		return err
	}
	return c.Entries(paths, "paths", func(key, status *yaml.Node) error {
		want, err := c.Number(status, "a status", 599)
		if err == nil && !strings.HasPrefix(key.Value, "/") {
			err = c.ErrorAt(key, "begin it with /", "%q is no path", key.Value)
		}
		c.conditions = append(c.conditions, c.hasHeader(name, value, key.Value, want))
		return err
	})
}

func (c *nginxCheck) hasHeader(name, value, path string, status int) condition[*nginxAnswers] {
	return func(a *nginxAnswers, _ *work) (string, string, bool) {
		wanted := fmt.Sprintf("https://%s%s (status %d) has %s: %s", c.host, path, status, name, value)
		r, err := a.Get(true, c.host, path)
		if err != nil {
			return wanted, err.Error(), false
		}
		is := r.Header.Values(name)
		found := fmt.Sprintf("status %d, %s: %s", r.Status, name, strings.Join(is, " and "))
		if len(is) == 0 {
			found = fmt.Sprintf("status %d, without %s", r.Status, name)
		}
		other := func(is string) bool { return !sameHeader(name, value, is) }
		return wanted, found, r.Status == status && len(is) > 0 && !slices.ContainsFunc(is, other)
	}
}

// sameHeader compares values. Those of a Content-Security-Policy are directives with ;
// between them, whose names and keywords are the same in capital letters (CSP3, 2.2).
func sameHeader(name, a, b string) bool {
	if http.CanonicalHeaderKey(name) != "Content-Security-Policy" {
		return strings.TrimSpace(a) == strings.TrimSpace(b)
	}
	policy := func(text string) []string {
		var all []string
		for directive := range strings.SplitSeq(strings.ToLower(text), ";") {
			if words := strings.Fields(directive); len(words) > 0 {
				all = append(all, strings.Join(words, " "))
			}
		}
		slices.Sort(all)
		return all
	}
	return slices.Equal(policy(a), policy(b))
}
