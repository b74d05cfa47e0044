package ca_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
)

const ownProfiles = `# people and servers
apiVersion: pkictl.dev/v1
kind: Profiles
default: people
profiles:
- name: servers
  usages: [digital signature, key encipherment, server auth]
  validity: 30d
  key: rsa-2048
  crlURL: http://pki.example.com/ca.crl
  ocspURL: http://pki.example.com/ocsp
  issuerURLs: [http://pki.example.com/ca.crt]
  limits:
    commonNames: ['*.example.com']
    dns: ['*.example.com', localhost]
    ips: [10.0.0.0/8, 192.0.2.1, 'fd00::/8']
    uris: ['spiffe://cluster.local/ns/*/sa/*', 'https://*.example.com']
    emails: ['*@example.com']
    keys: [rsa-2048, ecdsa-p384]
    maxValidity: 90d
    maxNames: 5
  csr: {subject: true, names: true, allow: [weak-hash]}
- name: people
  usages: [digital signature, client auth]
  validity: 8h
  backdate: 1m
  limits:
    commonNames: ['^[a-z]+(-[a-z]+)?$', 'system:node:*']
    groups: ['dev-*', system:nodes, 'system:*']
    dns: []
`

const cfsslProfiles = `{
	"signing": {
		"default": {"expiry": "8760h", "crl_url": "http://pki.example.com/ca.crl", "issuer_urls": ["http://pki.example.com/ca.crt"]},
		"profiles": {
			"web": {"usages": ["signing", "key encipherment", "server auth"], "expiry": "720h", "name_whitelist": "\\.example\\.com$",
				"ocsp_url": "http:\/\/pki.example.com\/ocsp", "ca_constraint": {"is_ca": false}, "auth_key": "one"},
			"soon": {"usages": ["client auth"], "expiry": "1h30m", "backdate": "2h"},
			"fixed": {"usages": ["digital signature", "client auth"], "expiry": "1h", "not_before": "2026-01-01T00:00:00Z", "not_after": "2099-01-01T00:00:00Z",
				"policies": [{"id": "1.3.6.1.4.1.99999.1"}], "lint_error_level": 3},
			"sub": {"usages": ["cert sign", "crl sign"], "expiry": "1h", "ca_constraint": {"is_ca": true, "max_path_len": 1}},
			"far": {"remote": "there"},
			"copy": {"usages": ["client auth"], "expiry": "1h", "copy_extensions": true},
			"logs": {"usages": ["server auth"], "expiry": "1h", "ct_log_servers": ["https://ct.example.com"]},
			"numbers": {"usages": ["client auth"], "expiry": "1h", "ClientProvidesSerialNumbers": true},
			"nokey": {"usages": ["client auth"], "expiry": "1h", "CSRWhitelist": {"Subject": true}},
			"sign": {"usages": ["signing"], "expiry": "1h"}
		}
	},
	"auth_keys": {"one": {"type": "standard", "key": "0123456789ABCDEF0123456789ABCDEF"}},
	"remotes": {"there": "127.0.0.1:8888"},
	"ocsp": {"interval": "1h"}
}`

func profiles(t *testing.T, text string) *ca.Profiles {
	t.Helper()
	p, err := ca.ParseProfiles([]byte(text), "profiles")
	if err != nil {
		t.Fatal(err, failure.HintOf(err))
	}
	return p
}

func TestOwnProfiles(t *testing.T) {
	t.Parallel()
	p := profiles(t, ownProfiles)
	if got := p.Names(); !slices.Equal(got, []string{"people", "servers"}) {
		t.Errorf("names %q: the default comes first", got)
	}
	people := must(p.Get(""))
	if people.Name() != "people" || people.Validity() != 8*time.Hour || people.Key() != ca.ECDSAP256 || !people.ClientAuth() || people.ServerAuth() {
		t.Errorf("%+v", people)
	}
	if servers := must(p.Get("servers")); servers.Validity() != 30*ca.Day || servers.Key() != ca.RSA2048 || !servers.ServerAuth() {
		t.Errorf("%+v", servers)
	}
	_, err := p.Get("server")
	wantUsage(t, "server", err, `there is no profile "server" in "profiles"`)
	if hint := failure.HintOf(err); !strings.Contains(hint, "did you mean servers? known: people, servers") {
		t.Errorf("hint %q", hint)
	}
	_, err = p.Get(ca.ProfileClient)
	wantUsage(t, "the built-in ones", err, "there is no profile")

	// The same as JSON, and without a default.
	p = profiles(t, `{"apiVersion":"pkictl.dev/v1","kind":"Profiles","profiles":[{"name":"a","usages":["client auth"]},{"name":"b","usages":["any"]}]}`)
	if a := must(p.Get("")); a.Name() != "a" || a.Validity() != ca.DefaultValidity {
		t.Errorf("the default is %q", a.Name())
	}
	if b := must(p.Get("b")); !b.ClientAuth() || b.ServerAuth() {
		t.Error("any is good for clients, and does not make a server")
	}
	none := (*ca.Profiles)(nil)
	if got := must(none.Get("")).Name(); got != ca.ProfileClient || !slices.Equal(none.Names(), ca.ProfileNames()) {
		t.Errorf("without a file: %q", got)
	}
}

func TestCFSSLProfiles(t *testing.T) {
	t.Parallel()
	p := profiles(t, cfsslProfiles)
	if got := p.Names(); !slices.Equal(got, []string{"default", "web", "soon", "fixed", "sub", "far", "copy", "logs", "numbers", "nokey", "sign"}) {
		t.Errorf("names %q", got)
	}
	for name, says := range map[string]string{
		"": "no usages", "default": "no usages", "sub": "CA certificates", "far": "signs elsewhere", "copy": "its own extensions",
		"logs": "to logs", "numbers": "serial numbers from requests", "nokey": "no public key from requests", "sign": "no extended key usage",
	} {
		_, err := p.Get(name)
		wantUsage(t, name, err, says)
		if err != nil && !strings.HasPrefix(err.Error(), `"profiles", line `) {
			t.Errorf("%q: %v does not name the line", name, err)
		}
	}
	dir := newCA(t, ca.RSA2048)
	authority := must(ca.Open(dir))
	prepare := func(o ca.IssueOptions) *ca.Prepared {
		t.Helper()
		o.Profiles = p
		return must(authority.Prepare(must(o.Request()), now))
	}
	web := prepare(ca.IssueOptions{CommonName: "www.example.com", Profile: "web", Key: "rsa-2048"}).Linted
	if !slices.Equal(web.CRLDistributionPoints, []string{"http://pki.example.com/ca.crl"}) || !slices.Equal(web.OCSPServer, []string{"http://pki.example.com/ocsp"}) ||
		!slices.Equal(web.IssuingCertificateURL, []string{"http://pki.example.com/ca.crt"}) {
		t.Errorf("addresses %q %q %q: those of the default count where the profile has none", web.CRLDistributionPoints, web.OCSPServer, web.IssuingCertificateURL)
	}
	if got := web.NotAfter.Sub(web.NotBefore); got != 720*time.Hour {
		t.Errorf("expiry %v: cfssl counts it from the beginning", got)
	}
	soon := prepare(ca.IssueOptions{CommonName: "jane", Profile: "soon", Validity: "1h"})
	if begin := authority.Certificate.NotBefore; !soon.Linted.NotBefore.Equal(begin) || !soon.Linted.NotAfter.Equal(now.Add(time.Hour)) ||
		!strings.Contains(strings.Join(soon.Warnings, " "), "begins with its CA") {
		t.Errorf("from %v to %v, %q", soon.Linted.NotBefore, soon.Linted.NotAfter, soon.Warnings)
	}
	_, err := authority.Prepare(must(ca.IssueOptions{CommonName: "jane", Profile: "soon", Profiles: p}.Request()), now)
	wantUsage(t, "an expiry that the backdate eats", err, "ends its certificates on")
	fixed := prepare(ca.IssueOptions{CommonName: "jane", Profile: "fixed"})
	if !fixed.Linted.NotAfter.Equal(authority.Certificate.NotAfter) || len(fixed.Linted.PolicyIdentifiers) != 1 {
		t.Errorf("end %v, policies %v", fixed.Linted.NotAfter, fixed.Linted.PolicyIdentifiers)
	}
	if text := strings.Join(fixed.Warnings, "\n"); !strings.Contains(text, "lint_error_level is not used") || !strings.Contains(text, "ends with its CA") {
		t.Errorf("warnings %q", text)
	}
	noDefault := profiles(t, `{"signing": {"profiles": {"a": {"usages": ["client auth"], "expiry": "1h"}}}}`)
	_, err = noDefault.Get("")
	wantUsage(t, "no default", err, "no default profile")
	must(noDefault.Get("a"))
}

// TestBadProfiles: whatever is not understood names file and line.
func TestBadProfiles(t *testing.T) {
	t.Parallel()
	head := "apiVersion: pkictl.dev/v1\nkind: Profiles\nprofiles:\n"
	profile := head + "- name: a\n  usages: [client auth]\n"
	cfssl := func(fields string) string {
		return "{\"signing\": {\n\"default\": {\"expiry\": \"1h\"},\n\"profiles\": {\"a\": {\n" + fields + "\n}}}}"
	}
	tests := []struct{ name, text, says, hint string }{
		{"nothing", "", "is empty", "--help"},
		{"white space", " \n\t\n", "is empty", "--help"},
		{"comments alone", "# nothing\n", "is empty", "--help"},
		{"null", "null\n", "line 1, column 1: there are no profiles", "--help"},
		{"a list", "- a\n", "line 1, column 1: there are no profiles", "--help"},
		{"a text", "noise", "line 1, column 1: there are no profiles", "--help"},
		{"binary", "\x00\x01", "not valid YAML", "quotes"},
		{"broken YAML", head + "- {name: a\n", "not valid YAML: line ", "indentation"},
		{"two documents", profile + "---\n" + profile, "a second document begins", "one document"},
		{"an alias", head + "- &a {name: a, usages: [client auth]}\n- *a\n", `line 5, column 3: alias "*a"`, "write the value out"},
		{"an alias for a field", head + "- name: &a a\n  *a : b\n", "alias", "write the value out"},
		{"a merge", head + "- &a {name: a, usages: [client auth]}\n- {<<: *a, name: b}\n", "alias", "write the value out"},
		{"without end", strings.Repeat("[", 200), "not valid YAML", "quotes"},
		{"deep", strings.Repeat("[", 200) + strings.Repeat("]", 200), "nested more than 32", "--help"},
		{"deep JSON", `{"a":` + strings.Repeat("[", 200) + strings.Repeat("]", 200) + "}", "nested more than 32", "--help"},

		{"no apiVersion", "kind: Profiles\nprofiles: []\n", `no field "apiVersion"`, "pkictl.dev/v1"},
		{"another version", "apiVersion: pkictl.dev/v2\nkind: Profiles\nprofiles: []\n", `line 1, column 13: "pkictl.dev/v2"`, "pkictl.dev/v1"},
		{"another kind", "apiVersion: pkictl.dev/v1\nkind: List\nprofiles: []\n", `"List"`, "Profiles"},
		{"no list", "apiVersion: pkictl.dev/v1\nkind: Profiles\nprofiles: []\n", "not a list of at least one", "name: NAME"},
		{"unknown field", head + "- name: a\n  usage: [client auth]\n", `line 5, column 3: unknown field "usage" in the profile`, "did you mean usages?"},
		{"unknown field in limits", profile + "  limits: {group: [a]}\n", `line 6, column 12: unknown field "group" in limits`, "did you mean groups?"},
		{"field twice", profile + "  usages: [any]\n", `line 6, column 3: field "usages"`, "line 5"},
		{"profile twice", profile + "- name: a\n  usages: [any]\n", `line 6, column 3: there are two profiles "a"`, "another name"},
		{"profile twice, with a default", "default: a\n" + profile + "- name: a\n  usages: [any]\n", `there are two profiles "a"`, "another name"},
		{"unknown default", "default: b\n" + profile, `line 1, column 10: there is no profile "b"`, "known: a"},
		{"unknown usage", head + "- name: a\n  usages: [digital signature, clientAuth]\n", `line 5, column 31: unknown usage "clientAuth"`, "did you mean client auth?"},
		{"usage twice", head + "- name: a\n  usages: [client auth, client auth]\n", `line 5, column 25: "client auth" stands twice`, "once"},
		{"usage by two names", head + "- name: a\n  usages: [s/mime, email protection]\n", "extended usage twice", "once"},
		{"no extended usage", head + "- name: a\n  usages: [digital signature]\n", "line 4, column 3: profile \"a\" has no extended", "client auth"},
		{"a CA's usage", head + "- name: a\n  usages: [cert sign, client auth]\n", "sign others", "init-ca --parent"},
		{"no name", head + "- usages: [client auth]\n", "the profile has no name", "name: NAME"},
		{"bad name", head + "- name: \"a\\u202eb\"\n  usages: [client auth]\n", "cannot be printed", "leave it out"},
		{"name of CAs", head + "- name: ca\n  usages: [client auth]\n", `the name "ca"`, "another"},
		{"name that is a number", head + "- name: 7\n  usages: [client auth]\n", "name is not a text", `"7"`},
		{"no value", profile + "  limits:\n", `line 6, column 3: field "limits" of the profile has no value`, "leave"},
		{"validity without a unit", profile + "  validity: 90\n", `line 6, column 13: validity "90"`, "90d"},
		{"negative validity", profile + "  validity: -1d\n", "is negative", "90d"},
		{"validity beyond the limit", profile + "  validity: 2d\n  limits: {maxValidity: 1d}\n", "beyond its maxValidity", "at most 24h"},
		{"validity left out", profile + "  limits: {maxValidity: 1d}\n", "is 90d", "validity: 24h"},
		{"unknown key", profile + "  key: rsa-1024\n", `line 6, column 8: unknown key kind "rsa-1024"`, "rsa-2048"},
		{"unknown key allowed", profile + "  limits: {keys: [ecdsa-p265]}\n", `unknown key kind "ecdsa-p265"`, "did you mean ecdsa-p256?"},
		{"key beyond the limit", profile + "  key: ed25519\n  limits: {keys: [ecdsa-p256]}\n", "not among those it allows", "ecdsa-p256"},
		{"limit that is no list", profile + "  limits: {groups: dev}\n", "groups is not a list", "[a, b]"},
		{"limit that holds a map", profile + "  limits: {groups: [{a: b}]}\n", "not a text", "one value"},
		{"bad range", profile + "  limits: {ips: [10.0.0.0/33]}\n", `"10.0.0.0/33"`, "10.0.0.0/8"},
		{"bits behind the prefix", profile + "  limits: {ips: [10.0.0.1/8]}\n", "behind its prefix", "write 10.0.0.0/8"},
		{"bad expression", profile + "  limits: {groups: ['^(a$']}\n", `"^(a$" is none`, "regexp/syntax"},
		{"no names at all", profile + "  limits: {maxNames: 0}\n", "maxNames is 0", "dns: []"},
		{"names that are no number", profile + "  limits: {maxNames: many}\n", "no such number", "0 to 10000"},
		{"bad URL", profile + "  crlURL: pki.example.com\n", "not the address of a server", "http://"},
		{"neither true nor false", profile + "  csr: {names: yes}\n", "neither true nor false", "true or false"},
		{"unknown allowance", profile + "  csr: {allow: [weak-keys]}\n", `nothing is called "weak-keys"`, "did you mean weak-key?"},
		{"a CA allowed", profile + "  csr: {allow: [keyCertSign]}\n", "never be allowed", "init-ca --parent"},
		{"a group that needs no allowance", profile + "  csr: {allow: ['group:dev']}\n", "needs no allowance", "group:system:masters"},

		{"broken JSON", "{\n\"signing\": {,}}", "line 2, column 14: not valid JSON", "commas"},
		{"JSON with a comma too many", cfssl(`"expiry": "1h",`), "not valid JSON", "commas"},
		{"JSON with a comment", "{\n// x\n}", "line 2, column 1: not valid JSON", "comments"},
		{"JSON that ends", `{"signing": {`, "ends too early", "brackets"},
		{"JSON and more", cfssl(`"usages": ["client auth"], "expiry": "1h"`) + "\n{}", "line 6, column 1: there is more", "one document"},
		{"no profiles", `{"signing": {}}`, "has no profiles", "default"},
		{"cfssl: signing is a list", `{"signing": []}`, "signing is not a mapping", "name: value"},
		{"cfssl: unknown field at the top", `{"signing": {"default": {"expiry": "1h"}}, "auth_key": {}}`, `unknown field "auth_key"`, "did you mean auth_keys?"},
		{"cfssl: unknown field", cfssl(`"usage": ["client auth"]`), `line 4, column 1: unknown field "usage" in profile "a"`, "did you mean usages?"},
		{"cfssl: field in capitals", cfssl(`"Expiry": "1h"`), `unknown field "Expiry"`, "did you mean expiry?"},
		{"cfssl: field twice", cfssl("\"expiry\": \"1h\",\n\"expiry\": \"2h\""), `line 5, column 1: field "expiry"`, "line 4"},
		{"cfssl: profile twice", "{\"signing\": {\"profiles\": {\"a\": {\"usages\": [\"any\"], \"expiry\": \"1h\"},\n\"a\": {}}}}", `line 2, column 1: field "a" of profiles is given twice`, "line 1"},
		{"cfssl: null", cfssl(`"usages": null`), "has no value", "leave"},
		{"cfssl: unknown usage", cfssl(`"expiry": "1h", "usages": ["signing", "server-auth"]`), `line 4, column 39: unknown usage "server-auth"`, "did you mean server auth?"},
		{"cfssl: a usage unknown beside others", cfssl(`"expiry": "1h", "usages": ["client auth", "digital signing"]`), `unknown usage "digital signing"`, "digital signature"},
		{"cfssl: no expiry", cfssl(`"usages": ["client auth"]`), `line 3, column 19: profile "a" has no expiry`, "2160h"},
		{"cfssl: expiry in days", cfssl(`"expiry": "90d"`), `expiry "90d"`, "8760h"},
		{"cfssl: expiry that is a number", cfssl(`"expiry": 31536000`), "line 4, column 11: expiry is not a length of time", "8760h"},
		{"cfssl: negative expiry", cfssl(`"expiry": "-1h"`), "above zero", "8760h"},
		{"cfssl: expiry of zero", cfssl(`"expiry": "0h"`), "above zero", "8760h"},
		{"cfssl: bad time", cfssl(`"not_after": "2027-01-31"`), "not a time", "RFC 3339"},
		{"cfssl: bad expression", cfssl(`"name_whitelist": "("`), "no regular expression", "regexp/syntax"},
		{"cfssl: unknown remote", cfssl(`"remote": "x"`), `"x" is not among the remotes`, "add it"},
		{"cfssl: unknown auth_key", cfssl(`"auth_key": "x"`), `"x" is not among the auth_keys`, "add it"},
		{"cfssl: a flag in quotes", cfssl(`"copy_extensions": "true"`), "neither true nor false", "without quotes"},
		{"cfssl: bad policy", cfssl(`"policies": [{"id": "x"}]`), `"x" is not an object identifier`, "1.3.6.1"},
		{"cfssl: bad qualifier", cfssl(`"policies": [{"id": "1.2.3", "qualifiers": [{"type": "cps", "value": "x"}]}]`), `unknown type of qualifier "cps"`, "id-qt-cps"},
		{"cfssl: a profile called default", `{"signing": {"profiles": {"default": {"expiry": "1h"}}}}`, `a profile is called "default"`, "another"},
	}
	for _, test := range tests {
		p, err := ca.ParseProfiles([]byte(test.text), "profiles")
		if err == nil {
			t.Errorf("%s: taken, with %q", test.name, p.Names())
			continue
		}
		wantUsage(t, test.name, err, test.says)
		if !strings.Contains(err.Error(), `"profiles"`) || !strings.Contains(failure.HintOf(err), test.hint) {
			t.Errorf("%s: %v; hint %q, want %q", test.name, err, failure.HintOf(err), test.hint)
		}
	}
}

// TestSecretsOfCFSSL: the keys of cfssl's server stand in its configuration.
func TestSecretsOfCFSSL(t *testing.T) {
	t.Parallel()
	const secret = "0123456789ABCDEF"
	for _, text := range []string{
		strings.Replace(cfsslProfiles, `"standard"`, `7`, 1),
		`{"signing": {"default": {"expiry": "1h"}}, "auth_keys": ["` + secret + `"]}`,
		`{"signing": {"default": {"expiry": "1h"}}, "auth_keys": {"a": "` + secret + `", "a": "` + secret + `"}}`,
		`{"signing": {"default": {"expiry": "1h"}}, "auth_keys": {"a": {"key": "` + secret + `" `,
	} {
		_, err := ca.ParseProfiles([]byte(text), "profiles")
		if err != nil && strings.Contains(err.Error()+failure.HintOf(err), secret) {
			t.Errorf("%v", err)
		}
	}
}

func TestLoadProfiles(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "profiles")
	_, err := ca.LoadProfiles(path)
	if failure.KindOf(err) != failure.Failed || !strings.Contains(err.Error(), "cannot read") {
		t.Errorf("none: %v", err)
	}
	must(0, os.WriteFile(path, []byte(ownProfiles+strings.Repeat("#\n", 1<<17)), 0o600))
	if _, err := ca.LoadProfiles(path); err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("too large: %v", err)
	}
}

// TestLimits asks for what a profile allows, and for what it does not.
func TestLimits(t *testing.T) {
	t.Parallel()
	authority := must(ca.Open(newCA(t, ca.ECDSAP256)))
	p := profiles(t, ownProfiles)
	server := func(change func(o *ca.IssueOptions)) ca.IssueOptions {
		o := ca.IssueOptions{CommonName: "a.example.com", Profile: "servers", Key: "ecdsa-p384"}
		change(&o)
		return o
	}
	person := func(name string, groups ...string) ca.IssueOptions {
		return ca.IssueOptions{CommonName: name, Groups: groups}
	}
	good := []ca.IssueOptions{
		server(func(*ca.IssueOptions) {}),
		server(func(o *ca.IssueOptions) { o.DNS = []string{"B.Example.COM", "a.b.example.com", "localhost"} }),
		server(func(o *ca.IssueOptions) { o.DNS = []string{"*.example.com"} }),
		server(func(o *ca.IssueOptions) { o.IPs = []string{"10.255.0.1", "192.0.2.1", "fd12::1"} }),
		server(func(o *ca.IssueOptions) { o.IPs = []string{"::ffff:10.0.0.1"} }),
		server(func(o *ca.IssueOptions) {
			o.URIs = []string{"spiffe://cluster.local/ns/dev/sa/app", "https://x.example.com"}
		}),
		server(func(o *ca.IssueOptions) { o.Emails = []string{"jane@example.com"} }),
		server(func(o *ca.IssueOptions) { o.Validity = "90d" }),
		server(func(o *ca.IssueOptions) { o.Groups = []string{"anything", "at-all"} }), // no limit
		person("jane"), person("jane-doe", "dev-web", "dev-"), person("jane", "system:authenticated"),
		person("system:node:w1", "system:nodes"),
	}
	for _, o := range good {
		o.Profiles = p
		if _, err := authority.Prepare(must(o.Request()), now); err != nil {
			t.Errorf("%+v: %v", o, err)
		}
	}
	bad := []struct {
		o          ca.IssueOptions
		says, hint string
	}{
		{server(func(o *ca.IssueOptions) { o.CommonName = "a.example.org" }), `common name "a.example.org"`, "common names it allows: *.example.com"},
		{server(func(o *ca.IssueOptions) { o.CommonName = "a.example.com.evil.test" }), "common name", "*.example.com"},
		{server(func(o *ca.IssueOptions) { o.DNS = []string{"example.com"} }), `DNS name "example.com"`, "*.example.com, localhost"},
		{server(func(o *ca.IssueOptions) { o.DNS = []string{"xlocalhost"} }), `DNS name "xlocalhost"`, "localhost"},
		{server(func(o *ca.IssueOptions) { o.IPs = []string{"11.0.0.1"} }), `IP address "11.0.0.1"`, "10.0.0.0/8, 192.0.2.1/32"},
		{server(func(o *ca.IssueOptions) { o.IPs = []string{"::ffff:11.0.0.1"} }), `IP address "11.0.0.1"`, "10.0.0.0/8"},
		{server(func(o *ca.IssueOptions) { o.URIs = []string{"spiffe://cluster.local/ns/dev/x/sa/app"} }), "URI", "spiffe://"},
		{server(func(o *ca.IssueOptions) { o.URIs = []string{"https://evil.test/.example.com"} }), "URI", "https://*"},
		{server(func(o *ca.IssueOptions) { o.URIs = []string{"https://evil.test?.example.com"} }), "URI", "https://*"},
		{server(func(o *ca.IssueOptions) { o.URIs = []string{"https://evil.test#.example.com"} }), "URI", "https://*"},
		{server(func(o *ca.IssueOptions) { o.Emails = []string{"jane@example.org"} }), "e-mail address", "*@example.com"},
		{server(func(o *ca.IssueOptions) { o.Key = "ecdsa-p256" }), `key kind "ecdsa-p256"`, "rsa-2048, ecdsa-p384"},
		{server(func(o *ca.IssueOptions) { o.Validity = "91d" }), "validity of 91d", "at most 90d"},
		{server(func(o *ca.IssueOptions) { o.Validity = "90d1s" }), "validity of 90d", "at most 90d"},
		{server(func(o *ca.IssueOptions) { o.IPs = []string{"10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5"} }), "6 alternative names", "at most 5"},
		{person("Jane"), `profile "people" of "profiles" does not allow the common name "Jane"`, "^[a-z]+"},
		{person("jane-doe-x"), "common name", "^[a-z]+"},
		{person("system:admin"), "common name", "system:node:*"},
		{person("jane", "ops"), `group "ops"`, "dev-*"},
		{person("jane", "xdev-web"), `group "xdev-web"`, "dev-*"},
		{person("jane", "system:masters"), `group "system:masters"`, "dev-*"}, // system:* does not name it
		{ca.IssueOptions{CommonName: "jane", DNS: []string{"x"}}, `DNS name "x"`, "allows no DNS names"},
	}
	for _, test := range bad {
		test.o.Profiles = p
		_, err := authority.Prepare(must(test.o.Request()), now)
		if err == nil || failure.KindOf(err) != failure.Refused || !strings.Contains(err.Error(), test.says) || !strings.Contains(failure.HintOf(err), test.hint) {
			t.Errorf("%+v: %v, hint %q; want %q, %q", test.o, err, failure.HintOf(err), test.says, test.hint)
		}
		test.o.Now = now
		if _, explained := ca.ExplainIssue(test.o); explained == nil || explained.Error() != err.Error() {
			t.Errorf("--explain: %v, not %v", explained, err)
		}
	}
	// cfssl's name_whitelist looks at common name, DNS names, e-mail addresses and URIs.
	web := ca.IssueOptions{Profiles: profiles(t, cfsslProfiles), Profile: "web", CommonName: "a.example.com", IPs: []string{"10.0.0.1"}}
	must(authority.Prepare(must(web.Request()), now))
	web.DNS = []string{"a.example.org"}
	if _, err := authority.Prepare(must(web.Request()), now); failure.KindOf(err) != failure.Refused || !strings.Contains(err.Error(), `"a.example.org"`) {
		t.Errorf("name_whitelist: %v", err)
	}
}

// FuzzParseProfiles: whatever the bytes, there are profiles that can be named,
// or an error of wrong usage.
func FuzzParseProfiles(f *testing.F) {
	for _, seed := range []string{ownProfiles, cfsslProfiles, "", "{", "{}", "- *a", "a: &a [*a]", `{"signing":{"default":{"expiry":"1h"}}}`, "---\n---\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := ca.ParseProfiles(data, "file")
		if err != nil {
			if failure.KindOf(err) != failure.Usage || failure.HintOf(err) == "" {
				t.Errorf("%v, hint %q", err, failure.HintOf(err))
			}
			return
		}
		names := p.Names()
		if len(names) == 0 {
			t.Error("no profiles, and no error")
		}
		for _, name := range names {
			profile, err := p.Get(name)
			if err == nil && (profile.Name() != name || profile.Validity() <= 0) {
				t.Errorf("profile %q is called %q and ends after %v", name, profile.Name(), profile.Validity())
			}
		}
	})
}
