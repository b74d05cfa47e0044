package tui

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/csr"
	"github.com/pkictl/pkictl/internal/kubeclient"
	"github.com/pkictl/pkictl/internal/show"
)

// newFlowUserIn returns the flow in a directory that is a home, too, with a
// kubeconfig of three contexts. Nobody listens where they lead to.
func newFlowUserIn(t *testing.T, root string, names ...string) *flowUser {
	t.Helper()
	names = append(names, "plain", "one more", "prod")
	config := "apiVersion: v1\nkind: Config\ncurrent-context: prod\nusers: [{name: admin, user: {token: t}}]\n" +
		"clusters: [{name: c, cluster: {server: 'https://" + nobodyListens(t) + "'}}]\ncontexts:\n"
	for _, name := range names {
		config += fmt.Sprintf("- {name: %q, context: {cluster: c, user: admin}}\n", name)
	}
	path := filepath.Join(root, ".kube", "config")
	for _, file := range []string{path, filepath.Join(root, "other.conf")} {
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	w := flowWorld("pki", time.Now, nil)
	w.Kubeconfigs = []string{path}
	w.Connect = func(file, context string) (*kubeclient.Client, error) {
		return kubeclient.Connect(kubeclient.Options{File: file, Paths: w.Kubeconfigs, Context: context})
	}
	return newFlowUser(w).(*flowUser)
}

// nobodyListens is an address that refuses connections.
func nobodyListens(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// TestFlowUserExplain holds the answers against the flags of the command that is
// shown: the recipe, which has all of them in it, or the error is the same.
func TestFlowUserExplain(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	other := filepath.Join(root, "other.conf")
	if got := runCLI(t, root, "init-ca"); got.code != 0 {
		t.Fatal(got)
	}
	random := rand.New(rand.NewPCG(7, 8))
	pick := func(values ...string) string { return values[random.IntN(len(values))] }
	refused := 0
	for i := range 40 {
		f := newFlowUserIn(t, root)
		f.w.Dir = filepath.Join(root, "pki")
		f.where, f.file, f.context = pick("", "", flowUserContext+"one more", flowUserFile), other, pick("", "plain", "plain", "nobody")
		f.name = pick("jane", "jane", "jane.doe@example.com", "zoë", "jane doe", "system:node:x", strings.Repeat("j", 65))
		f.groups = splitList(pick("", "developers", "developers, on call", "system:masters", "a,b,c,a"))
		f.access = pick(csr.RoleView, csr.RoleEdit, csr.RoleAdmin, flowUserRole, flowUserCluster, flowUserNothing)
		f.namespace, f.contextNamespace = pick("default", "default", "team-a", "Team"), pick("", "", "team-b", "-")
		f.role, f.clusterRole = pick("view", "pod-reader", "it's", "a/b"), pick("view", "cluster-admin", "..")
		f.lifetime, f.otherLifetime = pick("8h", "24h", "7d", flowUserOther), pick("90m", "30d", "5m", "soon")
		f.via, f.key, f.out = pick(string(csr.ViaCSR), string(csr.ViaCSR), string(csr.ViaCA)), pick(ca.KeyKindNames()...), pick("", "", "out of here.conf")
		f.force = random.IntN(2) == 0

		args := append(f.command(), "--explain")
		dates := regexp.MustCompile(`date \d{14}Z`) // a second may pass between the two
		got := runCLI(t, root, args...)
		recipe, err := f.explain(t.Context())
		recipe, got.stdout = dates.ReplaceAllString(recipe, "DATE"), dates.ReplaceAllString(got.stdout, "DATE")
		switch {
		case err != nil && got.code != 0:
			refused++
			if want := "error: " + show.Text(err.Error()) + "\n"; !strings.HasPrefix(got.stderr, want) {
				t.Errorf("%d: %q:\n%s%s", i, args, want, got.stderr)
			}
		case err != nil || got.code != 0 || recipe != got.stdout:
			t.Errorf("%d: %q: %v, and the command says %+v\n%s", i, args, err, got, recipe)
		}
	}
	if refused < 5 || refused > 35 {
		t.Errorf("%d of 40 were refused: that tests little", refused)
	}
}

// TestFlowUserUnreachable: a cluster that does not answer is said in a line, at
// once where names would be offered, and by the review; what is typed counts.
func TestFlowUserUnreachable(t *testing.T) {
	t.Parallel()
	f := newFlowUserIn(t, t.TempDir())
	f.name, f.namespace = "jane", "typed"
	for _, s := range f.steps() {
		var err error
		if s.load != nil {
			err = s.load(t.Context())
		}
		if refused := err != nil && strings.Contains(err.Error(), "connection refused"); refused != (s.title == "Person" || s.title == "Access") {
			t.Errorf("%s: %v", s.title, err)
		}
		if s.check != nil {
			if err := s.check(); err != nil {
				t.Errorf("%s: %v", s.title, err)
			}
		}
	}
	if want := []string{"user", "add", "jane", "--namespace", "typed", "--role", "view"}; !slices.Equal(f.command(), want) {
		t.Errorf("%q", f.command())
	}
	var log jobLog
	if r, err := f.review(t.Context(), log.newJob()); err == nil || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("%v %+v", err, r)
	}
}

// TestFlowUserContexts lists the current context first, under its name, and all
// others; what is chosen is what the command names.
func TestFlowUserContexts(t *testing.T) {
	t.Parallel()
	hostile := []string{"\x1b[2Jcleared", "\u202eright to left", strings.Repeat("long", 2500), "file", ""}
	f := newFlowUserIn(t, t.TempDir(), hostile[:4]...)
	if got := f.clusters(); len(got) != 2 {
		t.Errorf("before it is loaded: %+v", got)
	}
	if err := f.loadContexts(t.Context()); err != nil {
		t.Fatal(err)
	}
	options := f.clusters()
	if len(options) != 8 || options[0].value != "" || options[0].label != "prod (current)" || options[7].value != flowUserFile {
		t.Fatalf("%+v", options)
	}
	for _, name := range append(hostile[:4], "plain") {
		i := slices.IndexFunc(options, func(o option) bool { return o.value == flowUserContext+name })
		if i < 0 || strings.ContainsAny(options[i].label+options[i].help, "\x1b\u202e") {
			t.Fatalf("%q: %d", name, i)
		}
		f.where = options[i].value
		args := f.command()
		if args[len(args)-2] != "--context" || args[len(args)-1] != name {
			t.Errorf("%q", args)
		}
	}
}
