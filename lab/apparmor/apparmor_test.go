package apparmor_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/pkictl/pkictl/lab/apparmor"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

// randomGlob has few letters, so that it often matches.
func randomGlob(r *rand.Rand) string {
	var text strings.Builder
	if r.IntN(6) == 0 {
		text.WriteString(pick(r, "@{PROC}", "@{HOME}", "@{sys}"))
	}
	for range 1 + r.IntN(3) {
		text.WriteString("/")
		for range r.IntN(3) {
			text.WriteString(pick(r, "a", "b", "tmp", "etc", "*", "**", "?", "[ab]", "[^a]", "[a-c]", "{a,b}", "{,a}", "{a/,b*}", "{a,{b,c}}", ".", "+", "\\*", "a,b"))
		}
	}
	return text.String()
}

func randomPath(r *rand.Rand) string {
	var text strings.Builder
	text.WriteString(pick(r, "", "", "", "/proc", "/home/a", "/root", "/sys"))
	for range 1 + r.IntN(3) {
		text.WriteString("/")
		for range 1 + r.IntN(2) {
			text.WriteString(pick(r, "a", "b", "c", "tmp", "etc", ".", "+", "*", "a,b", ""))
		}
	}
	return strings.NewReplacer("///", "/", "//", "/").Replace(text.String())
}

// randomRule is right; x in rules that allow is ix alone, for others contradict each
// other.
func randomRule(r *rand.Rand) string {
	deny := r.IntN(4) == 0
	perms := pick(r, "r", "w", "rw", "a", "ra", "m", "mr", "k", "rwk", "l", "rl")
	if r.IntN(4) == 0 {
		perms += map[bool]string{true: "x", false: "ix"}[deny]
	}
	rule := pick(r, "", "", "audit ") + map[bool]string{true: "deny ", false: pick(r, "", "", "allow ")}[deny] + pick(r, "", "", "", "owner ")
	switch path := randomGlob(r); r.IntN(8) {
	case 0:
		return rule + "file " + path + " " + perms
	case 1:
		return rule + perms + " " + path
	case 2:
		return rule + `"` + path + `" ` + perms
	case 3:
		if deny {
			return rule + path + "  " + perms + "\t"
		}
		return rule + "file"
	default:
		return rule + path + " " + perms
	}
}

// TestProfilesDecideAsTheirAutomata holds the evaluator against what apparmor_parser
// compiles random profiles to. Links have a second path, which Access has not.
func TestProfilesDecideAsTheirAutomata(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(8, 19))
	compared, allowed := 0, 0
	for i := range 1500 {
		text := "#include <tunables/global>\nprofile test flags=(attach_disconnected) {\n"
		for range 1 + r.IntN(6) {
			text += "  " + randomRule(r) + ",\n"
		}
		text += "}\n"
		policy, complaint := compile(t, text)
		file, err := apparmor.Parse([]byte(text))
		if (err == nil) != (complaint == "") {
			t.Errorf("%s\npkictl says %v, apparmor_parser says %s", text, err, complaint)
			continue
		}
		if err != nil {
			continue
		}
		automaton := fileDFA(t, policy)
		for range 60 {
			path := randomPath(r)
			owner, other := automaton.perms(path)
			for _, perm := range []apparmor.Perms{apparmor.Read, apparmor.Write, apparmor.Append, apparmor.Exec, apparmor.Map, apparmor.Lock} {
				for _, own := range []bool{true, false} {
					want := map[bool]apparmor.Perms{true: owner, false: other}[own]&perm != 0
					got := file.Profiles[0].May(apparmor.Access{Path: path, Perms: perm, Owner: own})
					if got.Allowed != want {
						t.Fatalf("profile %d:\n%s%s %s (owner %v): %v by %q, and the automaton says %v", i, text, path, perm, own, got.Allowed, got.Rule, want)
					}
					compared++
					if want {
						allowed++
					}
				}
			}
		}
	}
	if compared < 20000 || allowed < compared/20 {
		t.Errorf("%d decisions were compared, %d of them allowed", compared, allowed)
	}
}

// inProfile are rules, and whether apparmor_parser takes them.
func corpus() []string {
	texts := []string{
		"profile a flags=(attach_disconnected) {\nfile,\ndeny /** w,\n}\n",
		"profile a flags-(attach_disconnected) {\nfile,\ndeny /** w,\n}\n",
		"profile a flags=(attach_disconnected {\nfile,\n}\n", "profile a flags=attach_disconnected {\nfile,\n}\n", "profile a flags=(foo) {\n}\n",
		"profile a (complain) {\n}\n", "profile a flags = (attach_disconnected mediate_deleted) {\nfile,\n}\n", "profile a flags=() {\n}\n",
		"/usr/bin/a {\n}\n", "/usr/bin/a flags=(complain) {\n}\n", "profile a /usr/bin/a flags=(complain) {\n}\n", "profile \"a b\" {\n}\n", "profile {\n}\n",
		"a {\n}\n", "profile a {\n", "profile a\n", "profile a {\n}\n}\n", "profile a {\n}\nprofile a {\n}\n", "profile a {\n}\nprofile b {\n}\n",
		"#include <tunables/global>\n#include <tunables/global>\nprofile a {\n}\n", "#include <tunables/globl>\nprofile a {\n}\n",
		"include <tunables/global>\nprofile a {\n @{PROC}/x r,\n}\n", "profile a {\n @{PROC}/x r,\n}\n", "@{A}=/x /y\nprofile a {\n @{A}/x r,\n}\n",
		"@{A}=/x\n@{A}+=/y\nprofile a {\n @{A}/x r,\n}\n", "@{A}=/x\n@{A}=/y\nprofile a {\n @{A}/x r,\n}\n", "@{A}+=/x\nprofile a {\n}\n",
		"abi <abi/3.0>,\nprofile a {\n}\n", "profile a {\n profile b {\n /x r,\n }\n /y r,\n}\n", "profile a {\n ^hat {\n /x r,\n }\n}\n",
		"# a comment\nprofile a { # another\n # file,\n}\n", "profile a {\r\n file,\r\n}\r\n", "kind: Profile\nname: a\n", "profile a {\n file,\n} trailing\n",
	}
	for _, rule := range []string{
		"file", "file,", "deny file,", "audit deny file,", "owner file,", "deny /** w,", "deny /** w", "/a d,", "/a x,", "/a ix,", "/a rwxi,", "deny /a ix,", "deny /a x,", "/a wa,", "r /b,", "file /a r,", "file r /b,",
		"file rw,", "/b{c} r,", "/b{c,} r,", "/b{c r,", "/b} r,", "/b[a-c]* r,", "/b[ac r,", "\"/a b\" r,", "/a b r,", "/a,", "/a r", "/a r,\n/b r,", "deny owner /a r,",
		"owner deny /a r,", "audit deny /c w,", "deny audit /c w,", "allow /d rw,", "/a -> /b r,", "/a px -> b,", "/a r -> b,", "capability,", "capability chown net_admin,",
		"capability foo,", "capability CAP_CHOWN,", "deny capability sys_admin,", "deny capability sys_admin", "network,", "network inet tcp,", "network inet domain,",
		"network inet stream,", "network inet,", "network tcp,", "network stream,", "network foo,", "deny network raw,", "network inet6 dgram,", "#include <abstractions/base>",
		"include <abstractions/base>", "#include <abstractions/base>,", "include <abstractions/foo>", "include if exists <local/foo>", "# include <abstractions/base>",
		"@{FOO}/x r,", "/a px,\n/b Px,\n/c cx,\n/d ux,\n/e pix,", "/a rR,", "/a w,\n/a r,", "/a\n r\n,", "/a  rw ,", "deny @{X}/a w,", "umount,", "mount,", "ptrace,",
		"ptrace (read) peer=a,", "dbus,", "deny dbus send bus=session,", "signal,", "signal (send,receive) peer=a,", "signal (foo),", "deny mount,", "mount options=(ro, bind) /a -> /b,", "mount fstype=proc,",
		"pivot_root,", "unix,", "unix (connect) type=stream,", "set rlimit nofile <= 100,", "change_profile -> b,", "link /a -> /b,", "link subset /a -> /b,", "deny link /a -> /b,",
		"foo,", "write /a,", "/a read,", "deny write /**,", "deny /proc/** wklx,", "deny /sys/[^f]*/** wklx,", "deny @{PROC}/sys/[^k]** w,", ",", "/a r,,", "/a r;", "file, deny /** w,",
		"/a/**rw,", "/a w ,", "allow deny /a r,", "deny deny /a r,", "owner owner /a r,", "/a \"r\",", "'/a b' r,", "/a r, # why", "/a # why\n r,", "/tmp/{a,b} rw,", "/tmp/{a, b} rw,",
		"/tmp/a\\ b rw,", "deny /etc/shadow rwklmx,", "file w,", "/ r,", "/** rwlkmix,", "/a rr,", "/a l,", "/a lx,", "audit /a w,", "audit file,", "/a pux,", "/a PUx,", "/a Pix,", "/a pIx,", "/a uix,",
	} {
		texts = append(texts, "#include <tunables/global>\nprofile a {\n "+rule+"\n}\n")
	}
	return texts
}

// TestProfilesAreAcceptedAsByApparmorParser holds the parser against Debian's.
func TestProfilesAreAcceptedAsByApparmorParser(t *testing.T) {
	t.Parallel()
	for _, text := range corpus() {
		t.Run(strings.ReplaceAll(text, "/", "|"), func(t *testing.T) {
			t.Parallel()
			_, complaint := compile(t, text)
			_, err := apparmor.Parse([]byte(text))
			if (err == nil) != (complaint == "") {
				t.Errorf("pkictl says %v, apparmor_parser says %q", err, complaint)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range corpus() {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		file, err := apparmor.Parse([]byte(text))
		if err != nil {
			if !strings.Contains(fmt.Sprint(err), " ") {
				t.Fatalf("it says %q", err)
			}
			return
		}
		for _, p := range file.Profiles {
			p.May(apparmor.Access{Path: "/tmp/a", Perms: apparmor.Write})
		}
	})
}
