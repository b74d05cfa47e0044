package ca

import (
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/cloudflare/cfssl/config"
	"go.yaml.in/yaml/v3"

	"github.com/pkictl/pkictl/internal/failure"
)

const (
	profilesAPIVersion = "pkictl.dev/v1"
	profilesKind       = "Profiles"
)

// readOwn reads the form of pkictl itself.
func (p *Profiles) readOwn(d document, root *yaml.Node) error {
	var list, def *yaml.Node
	for _, name := range []string{"apiVersion", "kind", "profiles"} {
		if !hasField(root, name) {
			return d.ErrorAt(root, "begin with apiVersion: "+profilesAPIVersion+" and kind: "+profilesKind+"; a configuration of cfssl has signing",
				"there is no field %q", name)
		}
	}
	err := d.mapping(root, "the file",
		field{"apiVersion", d.constant(profilesAPIVersion)},
		field{"kind", d.constant(profilesKind)},
		field{"default", func(n *yaml.Node) (err error) { def = n; p.def, err = d.Text(n, "default"); return err }},
		field{"profiles", func(n *yaml.Node) error { list = n; return nil }},
	)
	if err != nil {
		return err
	}
	if list.Kind != yaml.SequenceNode || len(list.Content) == 0 {
		return d.ErrorAt(list, "write - name: NAME with usages below it", "profiles is not a list of at least one")
	}
	for _, n := range list.Content {
		r := profileReader{document: d}
		profile, err := r.read(n)
		if err != nil {
			return err
		}
		if p.find(profile.name) {
			return d.ErrorAt(n, "give it another name", "there are two profiles %q", profile.name)
		}
		p.add(profile.name, profile, nil)
	}
	if def == nil {
		p.def = p.list[0].name
	} else if !p.find(p.def) {
		name := p.def
		p.def = ""
		return d.ErrorAt(def, failure.Suggest(name, p.Names()), "there is no profile %q", name)
	}
	return nil
}

func (p *Profiles) find(name string) bool {
	return slices.ContainsFunc(p.list, func(profile namedProfile) bool { return profile.name == name })
}

func (d document) constant(want string) func(*yaml.Node) error {
	return func(n *yaml.Node) error {
		if n.Kind != yaml.ScalarNode || n.Value != want {
			return d.ErrorAt(n, "write "+want, "%q is not what this version of pkictl reads", n.Value)
		}
		return nil
	}
}

// profileReader reads one profile.
type profileReader struct {
	document
	name   string
	raw    config.SigningProfile
	key    KeyKind
	limits limits
}

func (r *profileReader) read(n *yaml.Node) (Profile, error) {
	var requests *yaml.Node
	err := r.mapping(n, "the profile",
		field{"name", func(n *yaml.Node) (err error) {
			if r.name, err = r.Text(n, "name"); err != nil {
				return err
			}
			return checkProfileName(r.document, n, r.name)
		}},
		field{"usages", func(n *yaml.Node) (err error) { r.raw.Usage, err = r.usages(n); return err }},
		field{"validity", r.duration("validity", &r.raw.Expiry)},
		field{"backdate", r.duration("backdate", &r.raw.Backdate)},
		field{"key", func(n *yaml.Node) error {
			text, err := r.Text(n, "key")
			if err != nil {
				return err
			}
			r.key, err = ParseKeyKind(text)
			return r.At(n, err)
		}},
		field{"crlURL", r.url("crlURL", &r.raw.CRL)},
		field{"ocspURL", r.url("ocspURL", &r.raw.OCSP)},
		field{"issuerURLs", r.urls("issuerURLs", &r.raw.IssuerURL)},
		field{"limits", r.readLimits},
		field{"csr", func(n *yaml.Node) error { requests = n; return nil }},
	)
	if err != nil {
		return Profile{}, err
	}
	if r.name == "" {
		return Profile{}, r.ErrorAt(n, "add name: NAME", "the profile has no name")
	}
	profile, err := NewProfile(r.name, r.raw)
	if err != nil {
		return Profile{}, r.At(n, err)
	}
	profile.key, profile.limits = r.key, r.limits
	if requests != nil {
		if err := r.readRequests(requests, &profile.requests); err != nil {
			return Profile{}, err
		}
	}
	return profile, r.checkSelf(n, profile)
}

// checkSelf finds what would refuse every certificate that asks for nothing.
func (r *profileReader) checkSelf(n *yaml.Node, p Profile) error {
	switch l := p.limits; {
	case l.maxValidity > 0 && r.raw.Expiry > l.maxValidity:
		return r.ErrorAt(n, "make validity at most "+FormatValidity(l.maxValidity), "the validity of profile %q is beyond its maxValidity", p.name)
	case l.maxValidity > 0 && r.raw.Expiry == 0 && DefaultValidity > l.maxValidity:
		return r.ErrorAt(n, "add validity: "+FormatValidity(l.maxValidity), "without a validity, that of profile %q is 90d, beyond its maxValidity", p.name)
	case p.key != "" && l.keys != nil && !slices.Contains(l.keys, string(p.key)):
		return r.ErrorAt(n, "choose one of "+strings.Join(l.keys, ", "), "the key of profile %q is not among those it allows", p.name)
	}
	return nil
}

func (r *profileReader) readLimits(n *yaml.Node) error {
	l := &r.limits
	return r.mapping(n, "limits",
		field{"commonNames", r.patterns("commonNames", "", &l.commonNames)},
		field{"groups", r.patterns("groups", "", &l.groups)},
		field{"dns", r.patterns("dns", "", &l.dns)},
		field{"ips", r.ranges},
		field{"uris", r.patterns("uris", "/?#@", &l.uris)},
		field{"emails", r.patterns("emails", "", &l.emails)},
		field{"keys", r.keys},
		field{"maxValidity", r.duration("maxValidity", &l.maxValidity)},
		field{"maxNames", func(n *yaml.Node) (err error) {
			l.maxNames, err = r.Number(n, "maxNames", 10000)
			if err == nil && l.maxNames == 0 {
				return r.ErrorAt(n, "to allow none, write dns: [], ips: [], uris: [] and emails: []", "maxNames is 0")
			}
			return err
		}},
	)
}

// readRequests reads what the requests of others may ask for.
func (r *profileReader) readRequests(n *yaml.Node, rules *requestRules) error {
	return r.mapping(n, "csr",
		field{"subject", func(n *yaml.Node) (err error) { rules.subject, err = r.Boolean(n, "subject"); return err }},
		field{"names", func(n *yaml.Node) (err error) {
			names, err := r.Boolean(n, "names")
			rules.dns, rules.ips, rules.uris, rules.emails = names, names, names, names
			return err
		}},
		field{"allow", func(n *yaml.Node) error {
			return r.List(n, "allow", func(n *yaml.Node, text string) error {
				rules.allow = append(rules.allow, text)
				return r.At(n, checkAllowance(text))
			})
		}},
	)
}

// usages reads usages in the words of Kubernetes' certificates API, which are
// those of cfssl.
func (d document) usages(n *yaml.Node) ([]string, error) {
	list := []string{}
	err := d.List(n, "usages", func(n *yaml.Node, text string) error {
		if !slices.Contains(usageNames(), text) {
			return d.ErrorAt(n, failure.Suggest(text, usageNames()), "unknown usage %q", text)
		}
		list = append(list, text)
		return nil
	})
	return list, err
}

func (d document) duration(what string, to *time.Duration) func(*yaml.Node) error {
	return func(n *yaml.Node) error {
		text := n.Value
		if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!int" { // of which ParseValidity says that there is no unit
			var err error
			if text, err = d.Text(n, what); err != nil {
				return err
			}
		}
		var err error
		*to, err = ParseValidity(text)
		return d.At(n, err)
	}
}

func (d document) url(what string, to *string) func(*yaml.Node) error {
	return func(n *yaml.Node) error {
		text, err := d.Text(n, what)
		if err != nil {
			return err
		}
		*to = text
		return d.checkURL(n, what, text)
	}
}

func (d document) urls(what string, to *[]string) func(*yaml.Node) error {
	return func(n *yaml.Node) error {
		return d.List(n, what, func(n *yaml.Node, text string) error {
			*to = append(*to, text)
			return d.checkURL(n, what, text)
		})
	}
}

// checkURL accepts what a certificate may point to (RFC 5280, 4.2.1.13 and
// 4.2.2.1).
func (d document) checkURL(n *yaml.Node, what, text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "ldap") || !isASCII(text) {
		return d.ErrorAt(n, "write it like http://pki.example.com/ca.crl", "%s %q is not the address of a server", what, text)
	}
	return nil
}

func (r *profileReader) patterns(what, stops string, to *[]pattern) func(*yaml.Node) error {
	return func(n *yaml.Node) error {
		*to = []pattern{}
		return r.List(n, what, func(n *yaml.Node, text string) error {
			if what == "dns" {
				text = strings.ToLower(text)
			}
			p, err := newPattern(text, stops)
			if err != nil {
				return r.ErrorAt(n, "from ^ to $ it is a regular expression as in https://pkg.go.dev/regexp/syntax", "%q is none: %v", text, err)
			}
			*to = append(*to, p)
			return nil
		})
	}
}

func (r *profileReader) ranges(n *yaml.Node) error {
	r.limits.ips = []netip.Prefix{}
	return r.List(n, "ips", func(n *yaml.Node, text string) error {
		prefix, err := netip.ParsePrefix(text)
		if addr, addrErr := netip.ParseAddr(text); addrErr == nil && addr.Zone() == "" {
			prefix, err = addr.Prefix(addr.BitLen())
		}
		if err != nil {
			return r.ErrorAt(n, "write it like 10.0.0.0/8 or fd00::/8", "%q is not a range of IP addresses", text)
		}
		if prefix != prefix.Masked() {
			return r.ErrorAt(n, "write "+prefix.Masked().String(), "%q has bits behind its prefix", text)
		}
		r.limits.ips = append(r.limits.ips, prefix)
		return nil
	})
}

// keys reads kinds of keys: those that pkictl makes, and those that only
// requests of others bring.
func (r *profileReader) keys(n *yaml.Node) (err error) {
	known := append(KeyKindNames(), "ecdsa-p521", "rsa-8192")
	r.limits.keys = []string{}
	return r.List(n, "keys", func(n *yaml.Node, text string) error {
		r.limits.keys = append(r.limits.keys, text)
		if !slices.Contains(known, text) {
			return r.ErrorAt(n, failure.Suggest(text, known), "unknown key kind %q", text)
		}
		return nil
	})
}
