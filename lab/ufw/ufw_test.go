package ufw

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// oracle is the real ufw, below a root of its own. It is never switched on: then it
// writes its rules to files there, and touches nothing else.
type oracle struct {
	t    *testing.T
	root string
	said string
}

func newOracle(t *testing.T) *oracle {
	t.Helper()
	if _, err := os.Stat("/usr/sbin/ufw"); err != nil {
		t.Fatalf("%v; on Debian: apt-get install ufw", err)
	}
	o := &oracle{t: t, root: t.TempDir()}
	for _, dir := range []string{"/etc/default", "/etc/ufw", "/usr/share/ufw", "/run", "/lib"} {
		if err := os.MkdirAll(filepath.Join(o.root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for from, to := range map[string]string{"/usr/share/ufw/.": "/usr/share/ufw", "/etc/ufw/.": "/etc/ufw", "/etc/default/ufw": "/etc/default/ufw", "/lib/ufw": "/lib/ufw"} {
		if out, err := exec.Command("cp", "-r", from, filepath.Join(o.root, to)).CombinedOutput(); err != nil {
			t.Fatalf("%v %s", err, out)
		}
	}
	// As it is installed, whatever this machine has made of it.
	for _, name := range []string{"user.rules", "user6.rules"} {
		data, err := os.ReadFile(filepath.Join("/usr/share/ufw/iptables", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(o.root, "etc/ufw", name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(o.root, "etc/ufw/ufw.conf"), []byte("ENABLED=no\nLOGLEVEL=low\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return o
}

// run runs one command of rules, and says whether ufw takes it.
func (o *oracle) run(line string) bool {
	o.t.Helper()
	words, err := split(line)
	if err != nil || len(words) < 2 || words[0] != "ufw" {
		o.t.Fatalf("%q: %v", line, err)
	}
	switch words[1] {
	case "default", "allow", "deny", "reject", "limit", "insert", "prepend", "delete":
	default:
		o.t.Fatalf("%q would do more than to write rules", line)
	}
	args := append([]string{"--rootdir=" + o.root, "--datadir=" + o.root}, words[1:]...)
	if words[1] == "delete" {
		args = append([]string{args[0], args[1], "--force"}, args[2:]...)
	}
	cmd := exec.Command("/usr/sbin/ufw", args...)
	if os.Geteuid() != 0 { // it wants to be root, if only in its own eyes
		cmd = exec.Command("unshare", append([]string{"--map-root-user", "/usr/sbin/ufw"}, args...)...)
	}
	cmd.Env = []string{"LC_ALL=C", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"}
	out, err := cmd.CombinedOutput()
	o.said = string(out)
	return err == nil
}

// rules returns those for IPv4 as its file has them.
func (o *oracle) rules() []string {
	o.t.Helper()
	data, err := os.ReadFile(filepath.Join(o.root, "etc/ufw/user.rules"))
	if err != nil {
		o.t.Fatal(err)
	}
	var all []string
	for line := range strings.Lines(string(data)) {
		text, ok := strings.CutPrefix(strings.TrimSpace(line), "### tuple ### ")
		if !ok {
			continue
		}
		text, _, _ = strings.Cut(text, " comment=")
		words := strings.Fields(text)
		words = append(words[:6], words[len(words)-1]) // without names of applications
		words[0], _, _ = strings.Cut(words[0], "_")    // log
		all = append(all, strings.Join(words, " "))
	}
	return all
}

// tuple writes a rule as ufw's file does.
func (r rule) tuple() string {
	address := func(text string) string {
		if text == "any" {
			return "0.0.0.0/0"
		}
		return strings.TrimSuffix(text, "/32")
	}
	direction := "in"
	if r.out {
		direction = "out"
	}
	if r.device != "" {
		direction += "_" + r.device
	}
	return strings.Join([]string{r.action, r.protocol, r.toPorts, address(r.to), r.fromPorts, address(r.from), direction}, " ")
}

// check runs lines one by one here and there.
func (o *oracle) check(lines []string) {
	o.t.Helper()
	f := New()
	for i, line := range lines {
		words, _ := split(line)
		err := f.run(words)
		if ok := o.run(line); ok != (err == nil) {
			o.t.Errorf("%s\nwe say %v, ufw %v: %s", strings.Join(lines[:i+1], "\n"), err, ok, strings.SplitN(o.said, "\n", 2)[0])
			return
		}
	}
	var is []string
	for _, r := range f.rules[v4] {
		is = append(is, r.tuple())
	}
	if want := o.rules(); strings.Join(is, "\n") != strings.Join(want, "\n") {
		o.t.Errorf("%s\nours:\n%s\nufw's:\n%s", strings.Join(lines, "\n"), strings.Join(is, "\n"), strings.Join(want, "\n"))
	}
	data, err := os.ReadFile(filepath.Join(o.root, "etc/default/ufw"))
	if err != nil {
		o.t.Fatal(err)
	}
	words := map[string]string{"allow": "ACCEPT", "deny": "DROP", "reject": "REJECT"}
	for _, want := range []string{`DEFAULT_INPUT_POLICY="` + words[f.Incoming] + `"`, `DEFAULT_OUTPUT_POLICY="` + words[f.Outgoing] + `"`} {
		if !strings.Contains(string(data), want) {
			o.t.Errorf("%s\nno %s", strings.Join(lines, "\n"), want)
		}
	}
}

func TestAgainstUFW(t *testing.T) {
	t.Parallel()
	for _, lines := range [][]string{
		{"ufw default deny incoming", "ufw default allow outgoing", "ufw allow from 172.16.238.5 to any port 22 proto tcp", "ufw allow from 172.16.100.0/28 to any port 80 proto tcp", "ufw allow 80", "ufw delete allow 80"},
		{"ufw deny 8080 proto tcp"}, {"ufw deny 1000:15000 proto tcp"}, {"ufw deny 1000:15000/tcp", "ufw deny 1000:2000"}, {"ufw allow 80,443/tcp", "ufw allow 443,80/tcp", "ufw allow 80,443"},
		{"ufw allow ssh", "ufw limit 22/tcp", "ufw deny 22", "ufw allow https", "ufw allow domain", "ufw allow ntp/udp", "ufw allow http/tcp"},
		{"ufw allow 1/tcp", "ufw allow 2/tcp", "ufw insert 1 deny from 10.0.0.66", "ufw insert 2 deny 3", "ufw prepend reject 25", "ufw insert 3 deny 2/tcp", "ufw insert 99 deny 7"},
		{"ufw allow 1/tcp", "ufw allow 2/udp", "ufw delete 1", "ufw delete 9"}, {"ufw delete allow 5", "ufw allow 5", "ufw delete deny 5", "ufw delete allow 5/tcp"},
		{"ufw allow in on eth0 to any port 443", "ufw allow in 80", "ufw allow out 53", "ufw allow out on eth1", "ufw deny in on eth0 from 10.0.0.0/8"},
		{"ufw allow from 10.1.2.3/8 to any port 99", "ufw allow from 10.0.0.5 port 22", "ufw allow proto tcp from any to any port 99 comment 'a b'", "ufw allow to 10.0.0.1 port 80 proto tcp from 10.0.0.2 port 1024:65535"},
		{"ufw allow from any", "ufw deny from any to any port 80", "ufw deny to any", "ufw allow proto udp to any port 53"}, {"ufw allow from 300.0.0.1"}, {"ufw allow"}, {"ufw allow 70000"}, {"ufw allow 0"}, {"ufw allow 22/icmp"},
		{"ufw allow port 22"}, {"ufw allow to any port"}, {"ufw allow from fd00::/8 to any port 22", "ufw allow from fd00::1 to 10.0.0.1"}, {"ufw allow log 22/tcp"}, {"ufw default deny"}, {"ufw default drop incoming"}, {"ufw default deny sideways"},
		{"ufw deny from 10.0.0.0/24", "ufw allow from 10.0.0.5 to any port 22", "ufw reject 23/tcp", "ufw allow 23/tcp"}, {"ufw allow 22/tcp extra"}, {"ufw allow 2000:1000/tcp"},
	} {
		t.Run(lines[0], func(t *testing.T) { t.Parallel(); newOracle(t).check(lines) })
	}
}

// TestGenerated holds random commands against ufw.
func TestGenerated(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(27, 2))
	pick := func(list ...string) string { return list[random.IntN(len(list))] }
	for range 12 {
		var lines []string
		for range 7 {
			text := "ufw " + pick("", "", "", "insert 1 ", "insert 2 ", "prepend ", "delete ") + pick("allow", "deny", "reject", "limit")
			if random.IntN(2) == 0 {
				text += " " + pick("22", "22/tcp", "80/tcp", "53/udp", "ssh", "1000:2000/tcp", "80,443/tcp")
			} else {
				text += pick(" from 10.0.0.0/8", " from 10.0.0.5", " from any", "") + pick(" to any port 22", " to any port 80 proto tcp", " to any", " to 10.0.0.1 port 53")
			}
			lines = append(lines, text)
		}
		newOracle(t).check(lines)
	}
}

func TestDecide(t *testing.T) {
	t.Parallel()
	packet := func(from string, port int, protocol string) Packet {
		return Packet{From: netip.MustParseAddr(from), To: netip.MustParseAddr("10.0.0.1"), ToPort: port, FromPort: 40000, Protocol: protocol, Device: "eth0"}
	}
	for _, test := range []struct {
		lines string
		p     Packet
		want  string
	}{
		{"", packet("10.0.0.5", 22, "tcp"), "deny by ufw default deny incoming"},
		{"ufw default allow incoming", packet("10.0.0.5", 22, "tcp"), "allow by ufw default allow incoming"},
		{"ufw deny 22\nufw allow from 10.0.0.5 to any port 22", packet("10.0.0.5", 22, "tcp"), "deny by ufw deny from any to any port 22"},
		{"ufw allow from 10.0.0.5 to any port 22\nufw deny 22", packet("10.0.0.5", 22, "tcp"), "allow by ufw allow from 10.0.0.5/32 to any port 22"},
		{"ufw allow 22/udp", packet("10.0.0.5", 22, "tcp"), "deny by ufw default deny incoming"},
		{"ufw allow 1000:2000/tcp", packet("10.0.0.5", 2000, "tcp"), "allow by ufw allow from any to any port 1000:2000 proto tcp"},
		{"ufw limit 80,443/tcp", packet("10.0.0.5", 443, "tcp"), "limit by ufw limit from any to any port 80,443 proto tcp"},
		{"ufw allow in on eth1\nufw reject in on eth0", packet("10.0.0.5", 443, "tcp"), "reject by ufw reject in on eth0 from any to any"},
		{"ufw allow from 10.0.0.0/8", packet("fd00::1", 443, "tcp"), "deny by ufw default deny incoming"},
		{"ufw allow 443", packet("fd00::1", 443, "tcp"), "allow by ufw allow from any to any port 443"},
		{"ufw allow out 443\nufw deny out 53", Packet{Out: true, ToPort: 53, Protocol: "udp", From: netip.MustParseAddr("10.0.0.1")}, "deny by ufw deny out from any to any port 53"},
		{"ufw allow from 10.0.0.5 port 40000", packet("10.0.0.5", 22, "tcp"), "allow by ufw allow from 10.0.0.5/32 port 40000 to any"},
	} {
		f, err := Read([]byte(test.lines))
		if err != nil {
			t.Fatal(err)
		}
		action, by := f.Decide(test.p)
		if got := action + " by " + by; got != test.want {
			t.Errorf("%s\n%s, want %s", test.lines, got, test.want)
		}
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	f, err := Read([]byte("#!/bin/sh\nset -eu\r\n\n  # more\nsudo ufw --force reset\r\nsudo ufw default reject incoming # x\n/usr/sbin/ufw rule allow \"22/tcp\"\nufw status verbose\nyes | sudo ufw enable\n"))
	if err != nil || !f.Enabled || f.Incoming != "reject" || len(f.rules[v4]) != 1 {
		t.Errorf("%v %+v", err, f)
	}
	for text, want := range map[string]string{
		"ufw allow 22\nrm -rf x": `line 2: "rm -rf x" is no command of ufw`, "ufw allow 22; ufw enable": "is for a shell", "ufw allow $PORT": "is for a shell", "yes | sh": "no command", "ufw": "needs a command", "ufw enable now": "nothing more",
		"ufw route allow 22": "pass through", "ufw alow 22": "knows no command alow", "ufw allow '22": "no end", "ufw insert x allow 22": "no rule x", "ufw insert 1": "a number and a rule", "ufw deny 8080 proto tcp": "wrong number of words",
		"sudo": "no command", "ufw --force allow 22": "--force is for",
	} {
		if _, err := Read([]byte(text)); err == nil || !strings.Contains(err.Error(), strings.TrimPrefix(want, "it is no command")) {
			t.Errorf("%s: %v", text, err)
		}
	}
	if _, err := Read([]byte(strings.Repeat("x\n", 5))); err == nil {
		t.Error("no error")
	}
}

func FuzzRead(f *testing.F) {
	f.Add("ufw allow from 10.0.0.0/8 to any port 22,80:90 proto tcp\nufw insert 1 deny ssh\nufw delete 2\n")
	f.Fuzz(func(t *testing.T, text string) {
		firewall, err := Read([]byte(text))
		if err != nil {
			return
		}
		action, by := firewall.Decide(Packet{From: netip.MustParseAddr("10.0.0.1"), ToPort: 22, Protocol: "tcp"})
		if action == "" || by == "" {
			t.Error(fmt.Sprint(action, by))
		}
	})
}
