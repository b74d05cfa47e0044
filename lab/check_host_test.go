package lab

import (
	"strings"
	"testing"
	"testing/fstest"
)

// hostLab is a lab with one check, and what checks alone see.
func hostLab(kind, with string) (*Lab, error) {
	yaml := strings.Replace(goodLab, "kind: certificate, points: 2, task: 1, with: {file: a.crt, ca: true}", "kind: "+kind+", points: 2, task: 1, with: "+with, 1)
	return Read(fstest.MapFS{
		"lab.yaml": {Data: []byte(yaml)}, "mutants/bad.sh": {},
		"start/rules.yaml": {Data: []byte("- macro: spawned\n  condition: evt.type=execve\n")},
		"hidden/events": {Data: []byte(`{"event": "a shell", "holds": ["R", "m"], "fields": {"evt.type": "execve", "proc.name": "sh"}}` + "\n\n" +
			`{"event": "no shell", "holds": [], "fields": {"evt.type": "execve", "proc.name": "ls"}}`)},
		"hidden/field": {Data: []byte(`{"event": "x", "holds": ["R"], "fields": {"proc.nam": "sh"}}`)},
		"hidden/packets": {Data: []byte(`{"packet": "ssh", "from": "10.0.0.5", "port": 22, "verdict": "allow"}` + "\n" +
			`{"packet": "telnet", "from": "10.0.0.5", "port": 23, "verdict": "deny"}`)},
		"hidden/port": {Data: []byte(`{"packet": "ssh", "port": 0, "verdict": "allow"}`)},
	}, "test", "test")
}

func gradeHost(t *testing.T, kind, with string, files map[string]string) CheckResult {
	t.Helper()
	l, err := hostLab(kind, with)
	if err != nil {
		t.Fatal(err)
	}
	return gradeIn(t, l, files)[0]
}

func TestHostChecks(t *testing.T) {
	t.Parallel()
	const given = "- macro: spawned\n  condition: evt.type=execve\n"
	const rule = "- macro: m\n  condition: proc.name in (shells)\n- list: shells\n  items: [sh, bash]\n- rule: R\n  desc: d\n  condition: m\n  output: x %proc.name\n  priority: WARNING\n"
	rules := func(text string) map[string]string { return map[string]string{"rules.yaml": given, "local.yaml": text} }
	file := func(name, text string) map[string]string { return map[string]string{name: text} }
	const both = "{files: [rules.yaml, local.yaml], "
	huge := strings.Repeat("x", maxHostFile+1)
	for _, test := range []struct {
		name, kind, with string
		files            map[string]string
		found            string // empty: it passes
	}{
		{"rule", "falco", both + "rule: R, events: events, uses: [m, shells], output: [proc.name], priority: warning, unchanged: rules.yaml}", rules(rule), ""},
		{"macro", "falco", both + "macro: m, events: events}", rules(rule), ""},
		{"list", "falco", both + "list: {name: shells, items: [bash, sh]}}", rules(rule), ""},
		{"list too long", "falco", both + "list: {name: shells, items: [bash]}}", rules(rule), "its items are bash, sh"},
		{"no list", "falco", both + "list: {name: shell, items: [bash]}}", rules(rule), "there is no list"},
		{"no rule", "falco", both + "rule: r1, priority: warning}", rules(rule), "no rule"},
		{"a name like it", "falco", both + "rule: Rules, priority: warning}", rules(strings.Replace(rule, "rule: R", "rule: Rule", 1)), "did you mean Rule?"},
		{"no macro", "falco", both + "macro: m, events: events}", rules(strings.ReplaceAll(rule, "macro: m", "macro: n")), "there is no macro m"},
		{"switched off", "falco", both + "rule: R, events: events}", rules(rule + "  enabled: false\n"), "it is switched off"},
		{"silent", "falco", both + "rule: R, events: events}", rules(strings.ReplaceAll(rule, "[sh, ", "[")), "it is silent"},
		{"too loud", "falco", both + "rule: R, events: events}", rules(strings.ReplaceAll(rule, "[sh, ", "[sh, ls, ")), "it alerts"},
		{"misspelt list", "falco", both + "rule: R, events: events}", rules(strings.ReplaceAll(rule, "(shells)", "(my_shells)")), "my_shells is no list"},
		{"other source", "falco", both + "rule: R, events: events}", rules(rule + "  source: k8s_audit\n"), "no system calls"},
		{"syntax", "falco", both + "rule: R, events: events}", rules(strings.ReplaceAll(rule, " in (", " !- (")), `unexpected "!-"`},
		{"no file", "falco", both + "rule: R, events: events}", file("rules.yaml", given), "no file local.yaml"},
		{"given file changed", "falco", both + "rule: R, events: events, unchanged: rules.yaml}", map[string]string{"rules.yaml": given + "#\n", "local.yaml": rule}, "was changed"},
		{"binary", "falco", both + "rule: R, events: events}", rules("\x00\xff\x01"), "not valid YAML"},
		{"template", "falco", both + "rule: R, events: events}", rules("{{ .Values.rules }}"), "local.yaml"},

		{"sshd", "sshd", "{file: ssh/sshd_config, cases: [{options: {PermitRootLogin: no, MaxAuthTries: 3}}]}", file("ssh/sshd_config", "permitrootlogin=no\nMaxAuthTries 3\n"), ""},
		{"sshd's default", "sshd", "{file: ssh/sshd_config, cases: [{options: {PermitRootLogin: no}}]}", file("ssh/sshd_config", "#PermitRootLogin no\n"), "PermitRootLogin is prohibit-password"},
		{"one of several", "sshd", "{file: ssh/sshd_config, cases: [{options: {PermitRootLogin: [no, without-password]}}]}", file("ssh/sshd_config", "#\n"), ""},
		{"for a user", "sshd", "{file: ssh/sshd_config, cases: [{user: jane, options: {PasswordAuthentication: no}}]}", file("ssh/sshd_config", "PasswordAuthentication no\nMatch User jane\nPasswordAuthentication yes\n"), "PasswordAuthentication is yes for jane from anybody"},
		{"for a group", "sshd", "{file: ssh/sshd_config, cases: [{groups: [wheel], options: {AllowUsers: b a}}]}", file("ssh/sshd_config", "Match Group wheel\nAllowUsers a\nAllowUsers b\n"), ""},
		{"included", "sshd", "{file: ssh/sshd_config, cases: [{options: {PermitRootLogin: no}}]}", map[string]string{"ssh/sshd_config": "Include /etc/ssh/d/*.conf\nPermitRootLogin yes\n", "ssh/d/a.conf": "PermitRootLogin no\n"}, ""},
		{"included from elsewhere", "sshd", "{file: ssh/sshd_config, cases: [{options: {PermitRootLogin: no}}]}", map[string]string{"ssh/sshd_config": "Include /etc/passwd /etc/ssh/../../x\nPermitRootLogin yes\n", "x": "PermitRootLogin no\n"}, "PermitRootLogin is yes"},
		{"sshd does not start", "sshd", "{file: ssh/sshd_config, cases: [{options: {PermitRootLogin: no}}]}", file("ssh/sshd_config", "PermitRotLogin no\n"), "did you mean PermitRootLogin?"},
		{"sshd huge", "sshd", "{file: ssh/sshd_config, cases: [{options: {PermitRootLogin: no}}]}", file("ssh/sshd_config", huge), "larger than"},

		{"modprobe", "modprobe", "{dir: d, blacklist: [nf-x], install: [nf_x], keeps: [y]}", file("d/a.conf", "blacklist nf_x\ninstall nf-x /usr/bin/true # no\n"), ""},
		{"not blacklisted", "modprobe", "{dir: d, blacklist: [x]}", file("d/a.conf", "blacklist x\r\n"), `x\r`},
		{"not understood", "modprobe", "{dir: d, install: [x]}", file("d/a.conf", "instal x /bin/false\n"), "does not understand a.conf: instal x"},
		{"runs it nevertheless", "modprobe", "{dir: d, install: [x]}", file("d/a.conf", "install x /bin/true && modprobe -i x\n"), "it runs /bin/true && modprobe"},
		{"blocked", "modprobe", "{dir: d, keeps: [x]}", file("d/a.conf", "install [w-z] /bin/false\n"), "module x is blocked"},
		{"no file of modprobe", "modprobe", "{dir: d, keeps: [x]}", file("d/a.txt", ""), "none"},
		{"no directory", "modprobe", "{dir: d, keeps: [x]}", file("d", "x"), "none"},

		{"ufw", "ufw", "{file: f, enabled: true, incoming: deny, outgoing: [allow], packets: packets}", file("f", "ufw limit ssh\nufw enable\n"), ""},
		{"ufw off", "ufw", "{file: f, enabled: true}", file("f", "ufw allow 22\n"), "it is off"},
		{"ufw default", "ufw", "{file: f, incoming: deny}", file("f", "ufw default allow\n"), "it is allow"},
		{"ufw denies", "ufw", "{file: f, packets: packets}", file("f", "ufw deny 22\nufw allow from any to any port 22\n"+"ufw insert 1 deny from 10.0.0.0/8\n"), "ufw deny from 10.0.0.0/8 to any"},
		{"ufw syntax", "ufw", "{file: f, packets: packets}", file("f", "ufw deny 8080 proto tcp\n"), "line 1: ufw has a wrong number of words"},
		{"ufw by a shell", "ufw", "{file: f, packets: packets}", file("f", "ufw allow 22 && ufw enable\n"), "is for a shell"},

		{"nginx", "nginx", "{file: etc/nginx/a.conf, host: x, redirect: [301]}", file("etc/nginx/a.conf", "server { listen 80; add_header X-A b; return 301 https://x$request_uri; }"), ""},
		{"nginx without a certificate", "nginx", "{file: etc/nginx/a.conf, host: x, redirect: [301]}", file("etc/nginx/a.conf", "server { listen 80; listen 443 ssl; return 301 https://x$request_uri; }"), "ssl_certificate"},
		{"nginx reads beside", "nginx", "{file: etc/nginx/a.conf, host: x, redirect: [301]}", file("etc/nginx/a.conf", "include /etc/passwd;"), "there is no file /etc/passwd"},
		{"nginx does not start", "nginx", "{file: etc/nginx/a.conf, host: x, redirect: [301]}", file("etc/nginx/a.conf", "server { listen 80 }"), "unexpected } after listen"},
		{"no TLS", "nginx", "{file: etc/nginx/a.conf, host: x, protocols: [TLSv1.3]}", file("etc/nginx/a.conf", "ssl_protocols TLSv1.3; server { listen 443; }"), "does not speak TLS"},
		{"certificate from beside", "nginx", "{file: etc/nginx/a.conf, host: x, certificate: c}", map[string]string{"etc/nginx/a.conf": "server { listen 443 ssl; ssl_certificate /c; ssl_certificate_key /c; }", "c": "x"}, "not below /etc/nginx"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			result := gradeHost(t, test.kind, test.with, test.files)
			if result.Passed != (test.found == "") || !strings.Contains(result.Found, test.found) || result.Wanted == "" || result.Found == "" {
				t.Errorf("passed %v\nwanted %q\nfound %q, want %q", result.Passed, result.Wanted, result.Found, test.found)
			}
		})
	}
}

func TestHostChecksRefuse(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ kind, with, want string }{
		{"falco", "{rule: R, priority: WARNING}", `no field "files"`}, {"falco", "{files: [a], rule: R, macro: m}", "a rule and a macro"}, {"falco", "{files: [a], priority: WARNING}", `no field "rule"`},
		{"falco", "{files: [a], rule: R, priority: HIGH}", "no priority"}, {"falco", "{files: [../a], rule: R}", "no file in the workspace"}, {"falco", "{files: [a], rule: R, unchanged: rules.yaml}", "none of the files"},
		{"falco", "{files: [a], rule: R, events: field}", "line 1 of the events"}, {"falco", "{files: [a], rule: X, events: events}", "do not tell a right"}, {"falco", "{files: [a], events: events}", "has events"},
		{"falco", "{files: [a], list: {name: x}}", "no items"}, {"falco", "{files: [a], rule: R, events: none}", "none"},
		{"sshd", "{file: a}", "asks for nothing"}, {"sshd", "{file: a, cases: [{user: x}]}", "no options"}, {"sshd", "{file: a, cases: [{options: {Permit: no}}]}", "no keyword"}, {"sshd", "{file: a, cases: [{options: {PermitRootLogin: maybe}}]}", "cannot be"},
		{"sshd", "{file: a, cases: [{address: x, options: {UsePAM: no}}]}", "no address"},
		{"modprobe", "{dir: a}", "asks for nothing"}, {"modprobe", "{blacklist: [a]}", "asks for nothing"}, {"modprobe", "{dir: /etc, keeps: [a]}", "no file in the workspace"},
		{"ufw", "{file: a}", "asks for nothing"}, {"ufw", "{file: a, incoming: drop}", "no policy"}, {"ufw", "{file: a, packets: port}", "line 1 of the packets"},
		{"nginx", "{file: a, redirect: [301]}", `no field "host"`}, {"nginx", "{file: a, host: x}", "asks for nothing"}, {"nginx", "{file: a, host: x, redirect: 301}", "no list of codes"},
		{"nginx", "{file: a, host: x, header: {name: a}}", "no name, value or paths"}, {"nginx", "{file: a, host: x, header: {name: a, value: b, paths: {x: 200}}}", "no path"}, {"nginx", "{file: a, host: x, certificate: ../x}", "no file in the workspace"},
	} {
		if _, err := hostLab(test.kind, test.with); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s %s: %v", test.kind, test.with, err)
		}
	}
}

func TestSameHeader(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		a, b string
		same bool
	}{
		{"default-src 'self'", " Default-Src   'SELF' ; ", true}, {"default-src 'self'", "default-src self", false}, {"default-src 'self'", "default-src 'self'; script-src *", false}, {"default-src 'self'; img-src x", "img-src x;default-src 'self'", true},
		{"default-src 'self'", "", false},
	} {
		if sameHeader("content-security-policy", test.a, test.b) != test.same {
			t.Errorf("%q %q", test.a, test.b)
		}
	}
}
