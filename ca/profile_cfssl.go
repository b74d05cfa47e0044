package ca

import (
	"cmp"
	"crypto/x509"
	"fmt"
	"regexp"
	"time"

	"github.com/cloudflare/cfssl/config"
	"go.yaml.in/yaml/v3"

	"github.com/pkictl/pkictl/internal/failure"
)

// cfsslConfig reads a configuration of cfssl, as its -config takes it. What
// says something about certificates is taken over, or is an error; what is for
// cfssl's server alone is a warning on each certificate. A profile that pkictl
// cannot serve, such as one for CAs, is an error only when it is chosen.
type cfsslConfig struct {
	document
	profiles *Profiles
}

// cfsslDefault is the name of the profile that cfssl takes when it is given
// none, or one that it does not know.
const cfsslDefault = "default"

func (c cfsslConfig) read(root *yaml.Node) error {
	var signing *yaml.Node
	keep := func(n *yaml.Node) error { signing = n; return nil }
	authKeys, remotes := map[string]bool{}, map[string]bool{}
	err := c.mapping(root, "the configuration",
		field{"signing", keep},
		field{"ocsp", c.anything}, // of the responder: no certificate shows it
		field{"auth_keys", c.names("auth_keys", authKeys)},
		field{"remotes", c.names("remotes", remotes)},
	)
	if err != nil {
		return err
	}
	var def, profiles *yaml.Node
	err = c.mapping(signing, "signing",
		field{cfsslDefault, func(n *yaml.Node) error { def = n; return nil }},
		field{"profiles", func(n *yaml.Node) error { profiles = n; return nil }},
	)
	if err != nil {
		return err
	}
	if def == nil && profiles == nil {
		return c.ErrorAt(signing, "add default or profiles", "signing has no profiles")
	}
	f := &cfsslFile{cfsslConfig: c, authKeys: authKeys, remotes: remotes}
	if def != nil {
		c.profiles.def = cfsslDefault
		if err := f.profile(def, cfsslDefault); err != nil {
			return err
		}
	}
	if profiles == nil {
		return nil
	}
	return c.Entries(profiles, "profiles", func(key, value *yaml.Node) error {
		if key.Value == cfsslDefault {
			return c.ErrorAt(key, "give it another name; for cfssl it is the default beside profiles", "a profile is called %q", key.Value)
		}
		if err := checkProfileName(c.document, key, key.Value); err != nil {
			return err
		}
		return f.profile(value, key.Value)
	})
}

func (cfsslConfig) anything(*yaml.Node) error { return nil }

// names notes which names a mapping has. The values of auth_keys are secrets.
func (c cfsslConfig) names(what string, names map[string]bool) func(*yaml.Node) error {
	return func(n *yaml.Node) error {
		return c.Entries(n, what, func(key, _ *yaml.Node) error {
			names[key.Value] = true
			return nil
		})
	}
}

// cfsslFile reads profiles one by one, the default first: others take from it
// the addresses that they do not have, as in cfssl.
type cfsslFile struct {
	cfsslConfig
	authKeys, remotes map[string]bool
	def               config.SigningProfile
}

// cfsslProfile is a profile while it is read.
type cfsslProfile struct {
	*cfsslFile
	raw       config.SigningProfile
	whitelist *regexp.Regexp
	fromCSR   *config.CSRWhitelist
	serials   bool     // the client provides them
	unused    []string // fields that are for cfssl's server
}

func (f *cfsslFile) profile(n *yaml.Node, name string) error {
	r := &cfsslProfile{cfsslFile: f}
	if err := r.mapping(n, fmt.Sprintf("profile %q", name), r.fields()...); err != nil {
		return err
	}
	isRemote := r.raw.RemoteName != "" || r.raw.AuthRemote.RemoteName != ""
	if r.raw.Expiry == 0 && !isRemote {
		return r.ErrorAt(n, `add "expiry": "2160h"; cfssl asks for one, too`, "profile %q has no expiry", name)
	}
	if name == cfsslDefault {
		f.def = r.raw
	}
	r.raw.CRL, r.raw.OCSP = cmp.Or(r.raw.CRL, f.def.CRL), cmp.Or(r.raw.OCSP, f.def.OCSP)
	if r.raw.IssuerURL == nil {
		r.raw.IssuerURL = f.def.IssuerURL
	}
	profile, err := NewProfile(name, r.raw)
	switch {
	case err != nil && name == cfsslDefault && len(r.raw.Usage) == 0:
		err = failure.New(failure.Usage, "choose one of its profiles with --profile NAME", "the default profile has no usages")
	case err == nil && r.serials:
		err = failure.New(failure.Usage, "remove ClientProvidesSerialNumbers", "profile %q takes serial numbers from requests", name)
	case err == nil && r.fromCSR != nil && !r.fromCSR.PublicKey:
		err = failure.New(failure.Usage, "add \"PublicKey\": true to its CSRWhitelist", "profile %q takes no public key from requests", name)
	}
	profile.cfssl, profile.limits.whitelist = true, r.whitelist
	profile.requests = r.requestRules()
	for _, field := range r.unused {
		profile.warnings = append(profile.warnings, fmt.Sprintf("profile %q: %s", name, field))
	}
	f.profiles.add(name, profile, r.At(n, err))
	return nil
}

// requestRules says what requests may ask for: with cfssl all names, unless
// the profile says otherwise.
func (r *cfsslProfile) requestRules() requestRules {
	rules := requestRules{subject: true, dns: true, ips: true, uris: true, emails: true}
	if w := r.fromCSR; w != nil {
		rules = requestRules{subject: w.Subject, dns: w.DNSNames, ips: w.IPAddresses, uris: w.URIs, emails: w.EmailAddresses}
	}
	return rules
}

// fields are those of cfssl's SigningProfile.
func (r *cfsslProfile) fields() []field {
	const linted = "every certificate is linted, and a warning is a refusal"
	return []field{
		{"usages", func(n *yaml.Node) (err error) { r.raw.Usage, err = r.usages(n); return err }},
		{"expiry", r.length("expiry", &r.raw.Expiry)},
		{"backdate", r.length("backdate", &r.raw.Backdate)},
		{"not_before", r.time("not_before", &r.raw.NotBefore)},
		{"not_after", r.time("not_after", &r.raw.NotAfter)},
		{"crl_url", r.url("crl_url", &r.raw.CRL)},
		{"ocsp_url", r.url("ocsp_url", &r.raw.OCSP)},
		{"issuer_urls", r.urls("issuer_urls", &r.raw.IssuerURL)},
		{"ocsp_no_check", r.flag("ocsp_no_check", &r.raw.OCSPNoCheck)},
		{"policies", r.policies},
		{"ca_constraint", func(n *yaml.Node) error {
			return r.mapping(n, "ca_constraint",
				field{"is_ca", r.flag("is_ca", &r.raw.CAConstraint.IsCA)},
				field{"max_path_len", func(n *yaml.Node) error { _, err := r.Number(n, "max_path_len", 100); return err }},
				field{"max_path_len_zero", r.flag("max_path_len_zero", &r.raw.CAConstraint.MaxPathLenZero)},
			)
		}},
		{"copy_extensions", r.flag("copy_extensions", &r.raw.CopyExtensions)},
		{"name_whitelist", r.expression},
		{"CSRWhitelist", r.csrWhitelist},
		{"ClientProvidesSerialNumbers", r.flag("ClientProvidesSerialNumbers", &r.serials)},
		{"ct_log_servers", func(n *yaml.Node) (err error) {
			r.raw.CTLogServers, err = r.Texts(n, "ct_log_servers")
			return err
		}},
		{"remote", r.reference("remote", "remotes", r.remotes, &r.raw.RemoteName)},
		{"auth_remote", func(n *yaml.Node) error {
			return r.mapping(n, "auth_remote",
				field{"remote", r.reference("remote", "remotes", r.remotes, &r.raw.AuthRemote.RemoteName)},
				field{"auth_key", r.reference("auth_key", "auth_keys", r.authKeys, &r.raw.AuthRemote.AuthKeyName)},
			)
		}},
		{"auth_key", r.ignore(r.reference("auth_key", "auth_keys", r.authKeys, &r.raw.AuthKeyName),
			"its auth_key is for the clients of cfssl's server, and is not asked for")},
		{"prev_auth_key", r.ignore(r.reference("prev_auth_key", "auth_keys", r.authKeys, &r.raw.PrevAuthKeyName),
			"its prev_auth_key is for the clients of cfssl's server, and is not asked for")},
		{"allowed_extensions", r.ignore(r.stringList("allowed_extensions"),
			"allowed_extensions is not used: no extension is taken from a request")},
		{"cert_store", r.ignore(r.someText("cert_store"), "cert_store is not used: the inventory has every certificate")},
		{"lint_error_level", r.ignore(func(n *yaml.Node) error { _, err := r.Number(n, "lint_error_level", 7); return err },
			"lint_error_level is not used: "+linted)},
		{"ignored_lints", r.ignore(r.stringList("ignored_lints"), "ignored_lints is not used: "+linted)},
		{"ignored_lint_sources", r.ignore(r.stringList("ignored_lint_sources"), "ignored_lint_sources is not used: "+linted)},
	}
}

func (r *cfsslProfile) flag(what string, to *bool) func(*yaml.Node) error {
	return func(n *yaml.Node) (err error) { *to, err = r.Boolean(n, what); return err }
}

func (r *cfsslProfile) someText(what string) func(*yaml.Node) error {
	return func(n *yaml.Node) error { _, err := r.Text(n, what); return err }
}

func (r *cfsslProfile) stringList(what string) func(*yaml.Node) error {
	return func(n *yaml.Node) error { _, err := r.Texts(n, what); return err }
}

// ignore reads a field and says that it changes nothing.
func (r *cfsslProfile) ignore(read func(*yaml.Node) error, why string) func(*yaml.Node) error {
	return func(n *yaml.Node) error {
		r.unused = append(r.unused, why)
		return read(n)
	}
}

// length reads a time as cfssl does, with h for its longest unit. It takes no
// number: cfssl does not either, whose length in nanoseconds nobody would mean.
func (r *cfsslProfile) length(what string, to *time.Duration) func(*yaml.Node) error {
	return func(n *yaml.Node) error {
		const hint = `write it in quotes as cfssl does, in h, m and s, as in "8760h"`
		if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!str" {
			return r.ErrorAt(n, hint, "%s is not a length of time", what)
		}
		var err error
		*to, err = time.ParseDuration(n.Value)
		switch {
		case err != nil:
			return r.ErrorAt(n, hint, "%s %q is not a length of time", what, n.Value)
		case *to <= 0 || *to%time.Second != 0:
			return r.ErrorAt(n, hint, "%s %q is not a whole number of seconds above zero", what, n.Value)
		}
		return nil
	}
}

func (r *cfsslProfile) time(what string, to *time.Time) func(*yaml.Node) error {
	return func(n *yaml.Node) error {
		text, err := r.Text(n, what)
		if err != nil {
			return err
		}
		if *to, err = time.Parse(time.RFC3339, text); err != nil || to.Nanosecond() != 0 {
			return r.ErrorAt(n, `write it like "2027-01-31T00:00:00Z" (RFC 3339)`, "%s %q is not a time", what, text)
		}
		return nil
	}
}

// reference reads a name that another part of the file has to define.
func (r *cfsslProfile) reference(what, part string, known map[string]bool, to *string) func(*yaml.Node) error {
	return func(n *yaml.Node) (err error) {
		if *to, err = r.Text(n, what); err == nil && !known[*to] {
			return r.ErrorAt(n, "add it to "+part, "%s %q is not among the %s", what, *to, part)
		}
		return err
	}
}

func (r *cfsslProfile) expression(n *yaml.Node) error {
	text, err := r.Text(n, "name_whitelist")
	if err != nil {
		return err
	}
	if r.whitelist, err = regexp.Compile(text); err != nil {
		return r.ErrorAt(n, "see https://pkg.go.dev/regexp/syntax", "name_whitelist is no regular expression: %v", err)
	}
	return nil
}

func (r *cfsslProfile) csrWhitelist(n *yaml.Node) error {
	w := &config.CSRWhitelist{}
	r.fromCSR = w
	return r.mapping(n, "CSRWhitelist",
		field{"Subject", r.flag("Subject", &w.Subject)},
		field{"PublicKeyAlgorithm", r.flag("PublicKeyAlgorithm", &w.PublicKeyAlgorithm)},
		field{"PublicKey", r.flag("PublicKey", &w.PublicKey)},
		field{"SignatureAlgorithm", r.flag("SignatureAlgorithm", &w.SignatureAlgorithm)},
		field{"DNSNames", r.flag("DNSNames", &w.DNSNames)},
		field{"IPAddresses", r.flag("IPAddresses", &w.IPAddresses)},
		field{"EmailAddresses", r.flag("EmailAddresses", &w.EmailAddresses)},
		field{"URIs", r.flag("URIs", &w.URIs)},
	)
}

// policies reads certificate policies (RFC 5280, 4.2.1.4). cfssl reads their
// fields in any case.
func (r *cfsslProfile) policies(n *yaml.Node) error {
	if n.Kind != yaml.SequenceNode {
		return r.ErrorAt(n, `write a list, as in [{"id": "1.3.6.1.4.1.99999.1"}]`, "policies is not a list")
	}
	for _, n := range n.Content {
		var policy config.CertificatePolicy
		id := func(n *yaml.Node) (err error) { policy.ID, err = r.oid(n); return err }
		qualifiers := func(n *yaml.Node) error {
			for _, n := range n.Content {
				q, err := r.qualifier(n)
				if err != nil {
					return err
				}
				policy.Qualifiers = append(policy.Qualifiers, q)
			}
			return nil
		}
		if err := r.mapping(n, "a policy", field{"id", id}, field{"ID", id},
			field{"qualifiers", qualifiers}, field{"Qualifiers", qualifiers}); err != nil {
			return err
		}
		if policy.ID == nil {
			return r.ErrorAt(n, `add "id": "1.3.6.1.4.1.99999.1"`, "a policy has no id")
		}
		r.raw.Policies = append(r.raw.Policies, policy)
	}
	return nil
}

func (r *cfsslProfile) qualifier(n *yaml.Node) (q config.CertificatePolicyQualifier, err error) {
	kind := func(n *yaml.Node) (err error) {
		if q.Type, err = r.Text(n, "type"); err == nil && q.Type != "id-qt-cps" && q.Type != "id-qt-unotice" {
			return r.ErrorAt(n, "known: id-qt-cps, id-qt-unotice", "unknown type of qualifier %q", q.Type)
		}
		return err
	}
	value := func(n *yaml.Node) (err error) { q.Value, err = r.Text(n, "value"); return err }
	err = r.mapping(n, "a qualifier", field{"type", kind}, field{"Type", kind}, field{"value", value}, field{"Value", value})
	if err == nil && (q.Type == "" || q.Value == "") {
		err = r.ErrorAt(n, "give it type and value", "a qualifier is not complete")
	}
	return q, err
}

func (r *cfsslProfile) oid(n *yaml.Node) (config.OID, error) {
	text, err := r.Text(n, "id")
	if err != nil {
		return nil, err
	}
	var oid config.OID
	if _, err := x509.ParseOID(text); err != nil || oid.UnmarshalJSON([]byte(`"`+text+`"`)) != nil {
		return nil, r.ErrorAt(n, "write it like 1.3.6.1.4.1.99999.1", "%q is not an object identifier", text)
	}
	return oid, nil
}
