package sshd

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// memory are files of a test.
func memory(files map[string]string) Files {
	return Files{
		Read: func(name string) ([]byte, error) {
			text, ok := files[name]
			if !ok {
				return nil, os.ErrNotExist
			}
			return []byte(text), nil
		},
		List: func(dir string) []string {
			seen := map[string]bool{}
			var names []string
			for name := range files {
				if dir != "" {
					below, ok := strings.CutPrefix(name, dir+"/")
					if !ok {
						continue
					}
					name = below
				}
				name, _, _ = strings.Cut(name, "/")
				if !seen[name] {
					seen[name] = true
					names = append(names, name)
				}
			}
			return names
		},
	}
}

// real is sshd of the machine, with a key of its own.
var real = sync.OnceValues(func() (string, error) {
	program, err := exec.LookPath("/usr/sbin/sshd")
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll("/run/sshd", 0o755); err != nil { // as its unit does
		return "", err
	}
	return program, nil
})

// peer asks sshd -T. It returns its lines by keyword, or nil where it refuses.
type peer struct {
	t            *testing.T
	program, dir string
}

func newPeer(t *testing.T) *peer {
	t.Helper()
	program, err := real()
	if err != nil {
		t.Fatalf("%v; on Debian: apt-get install openssh-server openssh-client", err)
	}
	p := &peer{t, program, t.TempDir()}
	key := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(p.dir, "key"))
	if out, err := key.CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	return p
}

func (p *peer) ask(text string, c *Connection) (map[string]string, string) {
	p.t.Helper()
	name := filepath.Join(p.dir, "config")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
	args := []string{"-T", "-f", name, "-h", filepath.Join(p.dir, "key")}
	if c != nil {
		args = append(args, "-C", fmt.Sprintf("user=%s,host=%s,addr=%s", c.User, c.Host, c.Address))
		if c.LocalAddress != "" {
			args = append(args, "-C", fmt.Sprintf("laddr=%s,lport=%d", c.LocalAddress, c.LocalPort))
		}
	}
	var out, errs strings.Builder
	cmd := exec.Command(p.program, args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return nil, errs.String()
	}
	values := map[string]string{}
	for line := range strings.Lines(out.String()) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if old, ok := values[name]; ok {
			value = old + " " + value
		}
		values[name] = value
	}
	return values, errs.String()
}

// compare holds one file against sshd, for the keywords that are named.
func (p *peer) compare(text string, c *Connection, names ...string) {
	p.t.Helper()
	want, message := p.ask(text, c)
	config, err := Read(memory(map[string]string{"etc/ssh/sshd_config": text}), "etc/ssh/sshd_config")
	if (err == nil) != (want != nil) {
		p.t.Errorf("%s\nwe say %v, sshd %v", text, err, message)
	}
	if err != nil || want == nil {
		return
	}
	for _, name := range names {
		is := config.Value(name, c)
		if name == "PermitRootLogin" {
			is = strings.Replace(is, "prohibit-password", "without-password", 1) // its older name
		}
		if is != want[strings.ToLower(name)] {
			p.t.Errorf("%s\nfor %v, %s is %q, sshd says %q", text, c, name, is, want[strings.ToLower(name)])
		}
	}
}

// TestAgainstSSHD has what people write, right and wrong.
func TestAgainstSSHD(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	jane := &Connection{User: "jane", Host: "Web.example.com", Address: "10.0.0.5", LocalAddress: "10.0.0.1", LocalPort: 22}
	for _, text := range []string{
		"", "# nothing\n\n  # more\n", "PermitRootLogin no", "permitrootlogin NO\n", "PermitRootLogin=no\n", "PermitRootLogin = no\n", "PermitRootLogin\tno\r\n", "\t  PermitRootLogin no  \n",
		"PermitRootLogin \"no\"\n", "\"PermitRootLogin\" no\n", "PermitRootLogin 'no'\n", "PermitRootLogin no # because\n", "PermitRootLogin no#because\n", "PermitRootLogin no yes\n",
		"PermitRootLogin no\nPermitRootLogin yes\n", "PermitRootLogin yes\nPermitRootLogin no\n", "PermitRootLogin\n", "PermitRootLogin \"\"\n", "PermitRootLogin maybe\n", "PermitRootLogin \"no\n", "PermitRootLogin == no\n",
		"PermitRootLogin without-password\n", "PermitRootLogin prohibit-password\n", "PermitRootLogin forced-commands-only\n", "PermitRootLogin false\n", "PasswordAuthentication false\n",
		"PasswordAuthentication no\nChallengeResponseAuthentication no\n", "PasswordAuthentification no\n", "Password Authentication no\n", "MaxAuthTries 3\n", "MaxAuthTries three\n", "MaxAuthTries 3 4\n", "MaxAuthTries 0x3\n",
		"LoginGraceTime 1m30s\nClientAliveInterval 5m\n", "LoginGraceTime 2x\n", "LoginGraceTime 0\n", "LoginGraceTime 1H\n", "AllowUsers jane\nAllowUsers mark anna\n", "AllowUsers jane, mark\n", "AllowUsers\n", "DenyUsers \"a b\" c\n",
		"X11Forwarding no\nLogLevel verbose\nAllowTcpForwarding all\n", "LogLevel loud\n", "Protocol 2\nUsePrivilegeSeparation yes\n", "Match all\nPermitRootLogin no\n", "Match User mark\nPermitRootLogin yes\nMatch all\nPrintMotd no\nLogLevel VERBOSE\n", "Match User mark\nPrintMotd no\nMatch all\n", "PermitRootLogin yes\nMatch all\nPrintMotd no\nMatch User jane\nUsePAM no\n", "PermitRootLogin yes\nMatch all\nPermitRootLogin no\n",
		"Match User jane\nPermitRootLogin no\n", "Match User root,jane\n PasswordAuthentication no\nMatch all\n PasswordAuthentication yes\n", "Match user *,!jane\nPermitRootLogin no\n", "Match User !jane\nPermitRootLogin no\n",
		"Match Address 10.0.0.0/8\nPasswordAuthentication no\n", "Match Address 10.0.0.5,192.168.0.0/16\nPasswordAuthentication no\n", "Match Address 10.0.*\nPasswordAuthentication no\n", "Match Address *,!10.0.0.0/24\nPasswordAuthentication no\n",
		"Match Host *.example.com\nPasswordAuthentication no\n", "Match Host WEB.example.com User jane\nPasswordAuthentication no\n", "Match Host *.example.com User mark\nPasswordAuthentication no\n",
		"Match LocalPort 22\nPasswordAuthentication no\n", "Match LocalPort 2222\nPasswordAuthentication no\n", "Match LocalAddress 10.0.0.1\nPasswordAuthentication no\n", "Match\n", "Match User\n", "Match all User jane\n", "Match User jane all\n", "Match Person jane\n",
		"Match User jane # her\nPasswordAuthentication no\n", "Match all # all\nPasswordAuthentication no\n", "Match User=jane\nPasswordAuthentication no\n", "Match \"User\" \"jane\"\nPasswordAuthentication no\n",
		"Match User jane\nUsePAM no\n", "Match User jane\nPort 22\n", "Match User jane\nBanner none\nUsePAM yes\n", "Match User jane\nMaxAuthTries 2\nMatch Address 10.0.0.5\nMaxAuthTries 4\n", "MaxAuthTries 2\nMatch User mark\nMaxAuthTries 4\n",
		"Match User jane\nAllowUsers a\nAllowUsers b\n", "AllowUsers x\nMatch User jane\nAllowUsers a\n", "PermitRootLogin\x00no\n", "PermitRootLogin no\f\n", "KeepAlive no\nGatewayPorts clientspecified\n", "Compression delayed\n", "UsePAM yes\nUsePAM no\n",
		"Subsystem sftp internal-sftp\nAcceptEnv LANG LC_*\nPrintMotd no\n", "Include\n", "Include /nowhere/*.conf\n", "Include /nowhere/x.conf\nPermitRootLogin no\n",
	} {
		for _, c := range []*Connection{nil, jane} {
			if c == nil && strings.Contains(text, "LocalPort") {
				continue // sshd -T asks for a port then
			}
			p.compare(text, c, "PermitRootLogin", "PasswordAuthentication", "KbdInteractiveAuthentication", "PubkeyAuthentication", "MaxAuthTries", "LoginGraceTime", "ClientAliveInterval",
				"X11Forwarding", "LogLevel", "AllowTcpForwarding", "AllowUsers", "DenyUsers", "UsePAM", "TCPKeepAlive", "GatewayPorts", "Compression", "PermitEmptyPasswords")
		}
	}
}

// TestKeywords holds the table against sshd: each keyword, in a Match block and
// outside, and each default.
func TestKeywords(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	defaults, message := p.ask("", nil)
	if defaults == nil {
		t.Fatal(message)
	}
	values := map[string]string{"number": "5"}
	for _, k := range keywords() {
		name := strings.ToLower(k.name)
		if is, there := defaults[name]; there && k.normal != "" && is != strings.Replace(k.normal, "prohibit-", "without-", 1) {
			t.Errorf("%s is %q by default, not %q", k.name, is, k.normal)
		}
		value := values["number"]
		switch k.kind {
		case state:
			value = k.states[0]
			if from, _, changes := strings.Cut(value, ">"); changes {
				value = from
			}
		case text: // what they take differs; whether a Match block may have them does not
			if name == "include" || name == "match" {
				continue
			}
			_, message := p.ask("Match User jane\n"+k.name+" none\n", nil)
			if strings.Contains(message, "not allowed within a Match block") == k.inMatch || strings.Contains(message, "Bad configuration option") {
				t.Errorf("%s in a Match block: %v, sshd: %s", k.name, k.inMatch, message)
			}
			continue
		}
		p.compare(k.name+" "+value+"\n", nil)
		p.compare("Match User jane\n"+k.name+" "+value+"\n", nil)
	}
}

// TestGenerated holds random files against sshd.
func TestGenerated(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	random := rand.New(rand.NewPCG(27, 1))
	pick := func(list ...string) string { return list[random.IntN(len(list))] }
	connections := []*Connection{nil, {User: "jane", Host: "a.example.com", Address: "10.0.0.5"}, {User: "mark", Host: "b", Address: "192.168.1.1"}, {User: "root", Host: "c", Address: "2001:db8::1"}}
	for range 150 {
		var b strings.Builder
		for range 1 + random.IntN(9) {
			switch random.IntN(4) {
			case 0:
				b.WriteString(pick("Match ", "match ", " MATCH\t") + pick("User ", "user=", "User = ") + pick("jane", "jane,mark", "*,!root", "j?ne", "root,!root") + pick("", " Address 10.0.0.0/8", " Host *.example.com", " # x"))
			case 1:
				b.WriteString("Match " + pick("Address ", "address ") + pick("10.0.0.5", "10.0.0.0/8,192.168.0.0/16", "*", "2001:db8::/32", "192.168.1.*,!192.168.1.1"))
			default:
				b.WriteString(pick("", "  ", "\t", "#") + pick("PermitRootLogin", "PasswordAuthentication", "X11Forwarding", "permitemptypasswords") + pick(" ", "=", " = ", "\t") + pick("yes", "no", `"no"`, "'yes'", "NO", "no # x", "yes", "no"))
			}
			b.WriteString(pick("\n", "\r\n", "\n\n"))
		}
		p.compare(b.String(), connections[random.IntN(len(connections))], "PermitRootLogin", "PasswordAuthentication", "X11Forwarding", "PermitEmptyPasswords")
	}
}

// TestInclude holds files that include others against sshd, which finds them by their
// whole names.
// TestIncludeOfItself ends, with one line to look at.
func TestIncludeOfItself(t *testing.T) {
	t.Parallel()
	files := map[string]string{"etc/ssh/sshd_config": "PermitRootLogin no\nInclude sshd_config\n"}
	_, err := Read(memory(files), "etc/ssh/sshd_config")
	if want := `"etc/ssh/sshd_config", line 2: too many files are included: does one include itself?`; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

func TestInclude(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	dir := filepath.Join(p.dir, "d")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	files := map[string]string{
		"10.conf": "PermitRootLogin no\n", "20.conf": "Match User jane\nPasswordAuthentication no\n", "30.conf": "PermitRootLogin yes\nX11Forwarding yes\n", "bad.cnf": "Nonsense 1\n", ".x.conf": "MaxAuthTries 1\n",
	}
	in := map[string]string{}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		in[strings.TrimPrefix(filepath.Join(dir, name), "/")] = text
	}
	for _, text := range []string{
		"Include " + dir + "/*.conf\nPermitRootLogin yes\n", "PermitRootLogin yes\nInclude " + dir + "/*.conf\nX11Forwarding no\n", "Include " + dir + "/20.conf\nPasswordAuthentication yes\nX11Forwarding yes\n",
		"Include " + dir + "/3*.conf " + dir + "/1*.conf\n", "Match User jane\nInclude " + dir + "/10.conf\nPermitRootLogin yes\n", "Match User mark\nInclude " + dir + "/20.conf\n", "Include " + dir + "/bad.cnf\n", "Include " + dir + "/?0.conf\n",
		"Match User jane\nX11Forwarding no\nInclude " + dir + "/30.conf\nPasswordAuthentication no\n",
	} {
		for _, c := range []*Connection{nil, {User: "jane", Host: "a", Address: "10.0.0.5"}} {
			want, message := p.ask(text, c)
			in["etc/ssh/sshd_config"] = text
			config, err := Read(memory(in), "etc/ssh/sshd_config")
			if (err == nil) != (want != nil) {
				t.Fatalf("%s\n%v %s", text, err, message)
			}
			for _, name := range []string{"PermitRootLogin", "PasswordAuthentication", "X11Forwarding", "MaxAuthTries"} {
				if err == nil && strings.Replace(config.Value(name, c), "prohibit-", "without-", 1) != want[strings.ToLower(name)] {
					t.Errorf("%s\nfor %v, %s is %q, sshd says %q", text, c, name, config.Value(name, c), want[strings.ToLower(name)])
				}
			}
		}
	}
}

func TestNormal(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ word, value, want string }{{"PermitRootLogin", "NO", "no"}, {"logingracetime", "2m", "120"}, {"MaxAuthTries", "x", ""}, {"Nonsense", "1", ""}, {"AllowUsers", "a b", "a b"}} {
		if is, ok := Normal(test.word, test.value); is != test.want || ok != (test.want != "") {
			t.Errorf("%s %s: %q %v", test.word, test.value, is, ok)
		}
	}
	if name, ok := Keyword("permitROOTlogin"); name != "PermitRootLogin" || !ok {
		t.Error(name)
	}
}

func FuzzConfig(f *testing.F) {
	f.Add("PermitRootLogin no\nMatch User a,!b Address 10.0.0.0/8\n X11Forwarding \"yes\"\nInclude x*.conf\n", "AllowUsers a b\n")
	f.Add("Include *\n", "Include /etc/ssh/*\nMatch all\n")
	f.Fuzz(func(t *testing.T, first, second string) {
		config, err := Read(memory(map[string]string{"etc/ssh/sshd_config": first, "etc/ssh/x.conf": second}), "etc/ssh/sshd_config")
		if err != nil {
			if err.Error() == "" {
				t.Error("an error without words")
			}
			return
		}
		for _, name := range []string{"PermitRootLogin", "AllowUsers", ""} {
			config.Value(name, nil)
			config.Value(name, &Connection{User: "a", Host: "b", Address: "10.0.0.1", Groups: []string{"c"}})
		}
	})
}
