package tui

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pkictl/pkictl/ca"
)

// flowAnswers are texts that people type, and some that nobody should.
var flowAnswers = []string{
	"", "", "", "jane", "web.example.com", "10.0.0.1", "10.0.0.0/8", "example.com", "*.example.com", "90d", "8h", "1", "-1", "0x3", "010",
	"system:masters", "system:node:w1", "https://10.0.0.10:6443", "https://user:secret@x", "kubernetes", "shop", "Web",
	"--force", "-", "--", "-x", "[]", "{}", "a,b", "a=b", " a", "o'hara", `a"b\c`, "$(id)", "`id`", "日本", "Jörg Müller", "🔑",
	"a\x1b[2J", "a\nb", "\x00", "\xff\xfe", "\u202eexe", "\u200b", strings.Repeat("x", 65), strings.Repeat("ü", 64), strings.Repeat("a.", 5000),
	"../up", "/", ".", "..", "/dev/null", "ROOT/x", "ROOT/none/x", "ROOT/pki", "ROOT/pki/ca", "ROOT/old", "ROOT/old/ca.crt", "ROOT/there",
}

// fillAnswers answers each question of a flow at random: mostly with what it is
// for, at times with anything.
func fillAnswers(r *rand.Rand, f flow, root string, good map[string][]string) {
	pick := func(key string) string {
		list := flowAnswers
		if fit := good[key]; len(fit) > 0 && r.IntN(12) > 0 {
			list = fit
		}
		return strings.ReplaceAll(list[r.IntN(len(list))], "ROOT", root)
	}
	for _, s := range f.steps() {
		for _, each := range s.fields {
			switch {
			case each.text != nil:
				*each.text = strings.TrimSpace(pick(each.key)) // as the form does
			case each.list != nil:
				*each.list = nil
				for range r.IntN(3) {
					*each.list = append(*each.list, splitList(pick(each.key))...)
				}
			case each.yes != nil:
				*each.yes = r.IntN(3) == 0
			case each.choice != nil:
				options := slices.DeleteFunc(each.options(), func(o option) bool { return strings.HasPrefix(o.value, "rsa-") }) // they take long
				*each.choice = options[r.IntN(len(options))].value
			}
		}
	}
}

// checkCommands answers flows at random and has the program parse the commands:
// what a review accepts the command line accepts, and what one refuses the other
// does, with the same words.
func checkCommands(t *testing.T, seed uint64, times int, root string, newFlow func() flow, good map[string][]string) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 7))
	accepted := 0
	for n := range times {
		f := newFlow()
		fillAnswers(r, f, root, good)
		args := append(f.command(), "--dry-run")
		log := &jobLog{}
		rev, err := f.review(t.Context(), log.newJob())
		if strings.Contains(strings.Join(args, ""), "\x00") {
			if err == nil {
				t.Errorf("%d: %q cannot be run, and is accepted", n, args)
			}
			continue // no program can be given it
		}
		if err != nil && n%4 > 0 {
			continue // they are many
		}
		env := []string{variableExportPassword + "=" + testPassword}
		if slices.Contains(args, "--encrypt-key") { // which takes long
			env = append(env, variablePassphrase+"="+testPassword)
		}
		cli := runCLI(t, root, append(env, args...)...)
		if (err == nil) != (cli.code == 0) {
			t.Errorf("%d: %q: the review says %v, and the command %d %s", n, args, err, cli.code, cli.stderr)
		}
		if err == nil {
			accepted++
			compareWarnings(t, rev.warnings, cli.warnings(), "", "")
		}
		if _, explained := f.explain(t.Context()); err == nil && explained != nil {
			t.Errorf("%d: %q cannot be explained: %v", n, args, explained)
		}
	}
	if accepted < times/10 || accepted > times*9/10 {
		t.Errorf("%d of %d were accepted, which says little", accepted, times)
	}
}

func flowRoot(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	makeCA(t, anHourAgo(), ca.InitOptions{Dir: filepath.Join(root, "pki")})
	makeCA(t, anHourAgo(), ca.InitOptions{Dir: filepath.Join(root, "old"), PermitDNS: []string{"example.com"}})
	for _, out := range []string{"there", "pki/jane"} {
		o := ca.IssueOptions{Dir: filepath.Join(root, "pki"), CommonName: "jane", Out: filepath.Join(root, out), Now: anHourAgo()}
		if _, err := ca.Issue(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestFlowCACommands(t *testing.T) {
	t.Parallel()
	root := flowRoot(t)
	checkCommands(t, 1, 20, root, func() flow {
		return newFlowCA(flowWorld(filepath.Join(root, "new"), time.Now, nil))
	}, map[string][]string{
		"parent": {"ROOT/pki", "ROOT/pki", "ROOT/old"}, "import": {"ROOT/old", "ROOT/pki"}, "cert": {"ROOT/old/ca.crt"},
		"cn": {"", "Example CA", "日本", "o'hara", "[]"}, "org": {"Ops", "Example Ltd."}, "key": {"ROOT/old/ca.key"}, "validity": {"", "30d", "1y"},
		"path-length": {"", "0"}, "permit-dns": {"a.example.com", "b.example.com"}, "permit-ip": {"10.0.0.0/8", "fd00::/8"}, "dir": {"", "ROOT/x", "ROOT/-y"},
	})
}

func TestFlowCredentialCommands(t *testing.T) {
	t.Parallel()
	root := flowRoot(t)
	checkCommands(t, 2, 60, root, func() flow {
		return newFlowCredential(flowWorld(filepath.Join(root, "pki"), time.Now, nil))
	}, map[string][]string{
		"dir": {"", "ROOT/old", "ROOT/pki"}, "cn": {"jane", "web.example.com", "10.0.0.1", "o'hara", "[]"}, "group": {"developers", "oncall", ca.GroupMasters},
		"dns": {"a.example.com", "b.example.com"}, "ip": {"10.0.0.1", "::1"}, "validity": {"", "8h", "30d"},
		"kubeconfig": {"ROOT/jane.conf", "ROOT/j k.conf"}, "server": {"https://10.0.0.10:6443"}, "cluster": {"", "prod"}, "namespace": {"", "shop"},
		"secret-name": {"", "web-tls"}, "secret-namespace": {"", "shop"}, "export": {"", "ROOT/e"}, "out": {"", "", "ROOT/x", "ROOT/there", "ROOT/-x"},
	})
}

// TestFlowHostileAnswers: nothing that is typed brings a flow down while it is
// incomplete, and a command is shown for all of it.
func TestFlowHostileAnswers(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	r := rand.New(rand.NewPCG(3, 7))
	w := flowWorld(filepath.Join(root, "none"), time.Now, nil)
	for _, newFlow := range []func() flow{func() flow { return newFlowCA(w) }, func() flow { return newFlowCredential(w) }} {
		for range 300 {
			f := newFlow()
			fillAnswers(r, f, root, nil)
			command, err := json.Marshal(f.command())
			if err != nil || len(command) < len(`["issue"]`) {
				t.Errorf("%s: %v", command, err)
			}
			for _, s := range f.steps() {
				for i := range s.fields {
					if field := &s.fields[i]; field.fallback != nil {
						field.fallback()
					}
					_ = s.fields[i].answerError()
				}
				if s.check != nil {
					_ = s.check()
				}
			}
			_, _ = f.explain(context.Background())
		}
	}
}
