package nginx

import (
	"crypto/tls"
	"slices"
	"strings"
)

// CheckCertificates says which certificate or key nginx would not start with: who
// computes the answers asks for that before. Serve does not need it.
func (c *Config) CheckCertificates(files Files) error {
	for _, s := range c.servers {
		certs, keys := s.find("ssl_certificate"), s.find("ssl_certificate_key")
		secure := slices.ContainsFunc(s.listens, func(l listen) bool { return l.ssl })
		switch {
		case !secure && s.own("ssl_certificate") == nil:
			continue
		case certs == nil:
			return s.errorf(`no "ssl_certificate" is defined for the server with listen ... ssl`)
		case len(keys) < len(certs):
			return certs[0].errorf("", `no "ssl_certificate_key" is defined for it`)
		}
		for i := range certs {
			if err := checkPair(files, certs[i], keys[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// errorf is an error about a server that has at least the directive listen.
func (s *server) errorf(message string) error {
	for _, d := range s.directives {
		if d.name == "listen" {
			return d.errorf("", "%s", message)
		}
	}
	return nil
}

func checkPair(files Files, cert, key directive) error {
	var data [2][]byte
	for i, d := range [...]directive{cert, key} {
		if strings.ContainsAny(d.args[0], "$:") {
			return d.errorf("name a file", "this lab does not read %s", d.args[0])
		}
		var err error
		if data[i], err = files.Read(absolute(d.args[0])); err != nil {
			return d.errorf("", "cannot load %s: %v", d.args[0], err)
		}
	}
	if _, err := tls.X509KeyPair(data[0], data[1]); err != nil {
		return cert.errorf("", "nginx does not start with %s and %s: %s", cert.args[0], key.args[0], strings.TrimPrefix(err.Error(), "tls: "))
	}
	return nil
}
