package tui

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/cluster"
	"github.com/pkictl/pkictl/internal/show"
)

// newFlowClusterIn returns the flow for the directory kubernetes below root,
// beside a PKI directory.
func newFlowClusterIn(root string, now func() time.Time) *flowCluster {
	w := flowWorld(filepath.Join(root, "pki"), now, nil)
	w.ClusterDir = filepath.Join(root, "kubernetes")
	return newFlowCluster(w).(*flowCluster)
}

// walk goes through the steps as the form does, and returns the first thing that
// is wrong.
func (f *flowCluster) walk(t *testing.T) error {
	t.Helper()
	steps := f.steps()
	for i := range steps {
		s := &steps[i]
		f.command()
		if s.hidden != nil && s.hidden() {
			continue
		}
		if s.load != nil {
			if err := s.load(t.Context()); err != nil {
				return err
			}
		}
		for _, field := range s.fields {
			if field.options != nil && !slices.ContainsFunc(field.options(), func(o option) bool { return o.value == *field.choice }) {
				return fmt.Errorf("%s: no option %q", field.title, *field.choice)
			}
			if err := field.answerError(); err != nil {
				return err
			}
		}
		if s.check != nil {
			if err := s.check(); err != nil {
				return err
			}
		}
	}
	return nil
}

// clusterTable are answers, and what is there before.
var clusterTable = []struct {
	name    string
	prepare [][]string // commands of pkictl
	file    string     // contents of the file settings
	answer  func(f *flowCluster)
}{
	{name: "nothing is answered", answer: func(*flowCluster) {}},
	{name: "one node", answer: func(f *flowCluster) {
		f.nodes, f.node, f.address = flowClusterOne, "cp-1", "10.0.0.11"
		f.port, f.dnsDomain, f.name, f.validity, f.caValidity, f.version = "8443", "k8s.local", "prod_eu", "90d", "5y", "v1.28.4"
	}},
	{name: "an address alone", answer: func(f *flowCluster) { f.nodes, f.address, f.key = flowClusterOne, "10.0.0.11", "ecdsa-p384" }},
	{name: "three nodes", answer: func(f *flowCluster) {
		f.nodes, f.several = flowClusterSeveral, []string{"cp-1=10.0.0.11", "cp-2=10.0.0.12", "cp-3=10.0.0.13"}
		f.endpoint, f.sans, f.etcdSANs = "k8s.example.com", []string{"api.example.com", "203.0.113.7"}, []string{"etcd.example.com"}
	}},
	{name: "external etcd", answer: func(f *flowCluster) {
		f.nodes, f.node, f.etcd, f.etcdSANs = flowClusterOne, "cp-1", "true", []string{"forgotten.example.com"}
	}},
	{name: "certificates elsewhere", answer: func(f *flowCluster) {
		f.cas, f.parent, f.validity, f.repair = flowClusterLeaves, "forgotten", "90d", true
		f.nodes, f.several, f.endpoint = flowClusterSeveral, []string{"cp-1=10.0.0.11", "cp-2=10.0.0.12"}, "10.0.0.10:6443"
	}},
	{name: "CAs elsewhere", answer: func(f *flowCluster) { f.cas = flowClusterCAs }},
	{name: "below a root CA", prepare: [][]string{{"init-ca"}}, answer: func(f *flowCluster) {
		f.cas, f.nodes, f.several, f.endpoint = flowClusterParent, flowClusterSeveral, []string{"cp-1=10.0.0.11", "cp-2=10.0.0.12"}, "10.0.0.10"
	}},
	{name: "IPv6", answer: func(f *flowCluster) {
		f.nodes, f.node, f.address, f.serviceCIDR, f.endpoint = flowClusterOne, "cp-1", "fd00::11", "fd00:96::/112,10.96.0.0/16", "[fd00::10]:6443"
	}},
	{name: "RSA", answer: func(f *flowCluster) { f.key = "rsa-2048" }},
	{name: "settings are there", prepare: [][]string{
		{"cluster", "init", "--node", "cp-1=10.0.0.11", "--san", "old.example.com", "--external-etcd", "--key", "ecdsa-p384", "--service-cidr", "10.9.0.0/16"},
		{"cluster", "init", "--kubernetes-version", "v1.36.0"},
	}, answer: func(f *flowCluster) { f.validity = "30d" }},
	{name: "a name more, and repair", prepare: [][]string{{"cluster", "init", "--node", "cp-1=10.0.0.11", "--external-etcd"}}, answer: func(f *flowCluster) {
		f.sans, f.etcd, f.repair = []string{"new.example.com"}, "false", true
	}},
	{name: "a file of kubeadm's", file: `apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
controlPlaneEndpoint: k8s.example.com:6443
networking: {serviceSubnet: 10.50.0.0/16}
apiServer: {certSANs: [api.example.com]}
`, answer: func(f *flowCluster) { f.config = filepath.Join(filepath.Dir(f.w.ClusterDir), "settings") }},
}

// TestFlowClusterParity holds the flow against the command that it shows: the
// same files, modes, settings and certificates. What the review lists is what is
// written.
func TestFlowClusterParity(t *testing.T) {
	t.Parallel()
	for _, test := range clusterTable {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			byFlow, byFlags := t.TempDir(), t.TempDir()
			for _, args := range test.prepare {
				if got := runCLI(t, byFlow, args...); got.code != 0 {
					t.Fatal(got)
				}
			}
			if test.file != "" {
				if err := os.WriteFile(filepath.Join(byFlow, "settings"), []byte(test.file), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			copyTree(t, byFlow, byFlags)
			f := newFlowClusterIn(byFlow, time.Now)
			test.answer(f)
			var log jobLog
			if f.repair { // the question comes when something wrong was found
				if err := f.walk(t); err != nil {
					t.Fatal(err)
				}
				if _, err := f.review(t.Context(), log.newJob()); err != nil {
					t.Fatal(err)
				}
			}
			if err := f.walk(t); err != nil {
				t.Fatal(err)
			}
			before := time.Now().Truncate(time.Second)
			args := f.command()
			for i := range args {
				args[i] = strings.ReplaceAll(args[i], byFlow, byFlags)
			}
			recipe, err := f.explain(t.Context())
			if got := runCLI(t, byFlags, append(args, "--explain")...); err != nil || got.stdout != strings.ReplaceAll(recipe, byFlow, byFlags) {
				t.Errorf("%q --explain: %v\n%s\n%s", args, err, got.stdout, recipe)
			}
			if got := runCLI(t, byFlags, args...); got.code != 0 {
				t.Fatalf("%q: %+v", args, got)
			}
			now := issuedSince(t, byFlags, before)
			f.w.Now = func() time.Time { return now }
			reviewed, err := f.review(t.Context(), log.newJob())
			if err != nil || reviewed.nothing != "" {
				t.Fatalf("%v %+v", err, reviewed)
			}
			there := snapshotFiles(t, byFlow)
			out, err := f.run(t.Context(), log.newJob())
			if err != nil {
				t.Fatal(err)
			}
			compareTrees(t, byFlow, byFlags)
			checkWritten(t, reviewed.writes, there, snapshotFiles(t, byFlow))
			if len(out.next) == 0 || len(out.rows) == 0 || out.text == "" {
				t.Errorf("%+v", out)
			}
		})
	}
}

func copyTree(t *testing.T, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == from {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(from, path)
		if entry.IsDir() {
			return os.Mkdir(filepath.Join(to, name), info.Mode().Perm())
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, name), data, info.Mode().Perm())
	})
	if err != nil {
		t.Fatal(err)
	}
}

// issuedSince is the clock by which a command has issued what it has.
func issuedSince(t *testing.T, root string, since time.Time) time.Time {
	t.Helper()
	found := since
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.Name() != "inventory.db" {
			return err
		}
		entries, err := ca.List(t.Context(), ca.ListOptions{Dir: filepath.Dir(path), Now: since})
		for _, e := range entries {
			if e.IssuedAt.After(found) {
				found = e.IssuedAt
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// snapshotFiles returns mode and contents of the files that people know of.
func snapshotFiles(t *testing.T, root string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && strings.HasPrefix(entry.Name(), ".") {
			return filepath.SkipDir
		}
		if err != nil || entry.IsDir() || strings.HasPrefix(entry.Name(), ".") || strings.HasPrefix(entry.Name(), "inventory.db") {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		data, err := os.ReadFile(path)
		found[path] = fmt.Sprintf("%04o %s", info.Mode().Perm(), data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// checkWritten checks that just what the review has announced was written.
func checkWritten(t *testing.T, announced []fileToBe, before, after map[string]string) {
	t.Helper()
	for _, file := range announced {
		if _, was := before[file.path]; was != file.replaces && filepath.Base(file.path) != cluster.SettingsFile {
			t.Errorf("%s: replaces %t", file.path, file.replaces)
		}
		if after[file.path] == before[file.path] || !strings.HasPrefix(after[file.path], fmt.Sprintf("%04o ", file.mode)) {
			t.Errorf("%s was announced with mode %04o: %.40q", file.path, file.mode, after[file.path])
		}
	}
	for path, is := range after {
		if is != before[path] && !slices.ContainsFunc(announced, func(f fileToBe) bool { return f.path == path }) {
			t.Errorf("%s was written, and not announced", path)
		}
	}
}

// TestFlowClusterGenerated has the command judge answers that a generator puts
// together: it refuses what the flow refuses, in the same words, and would make
// the same files.
func TestFlowClusterGenerated(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(7, 7))
	pick := func(values ...string) string { return values[random.IntN(len(values))] }
	// most of the answers are good ones, and few are wrong
	some := func(wrong []string, good ...string) string {
		if random.IntN(16) == 0 {
			return pick(wrong...)
		}
		return pick(append(good, "")...)
	}
	refused := 0
	for i := range 40 {
		root := t.TempDir()
		f := newFlowClusterIn(root, time.Now)
		f.cas = pick("", "", "", flowClusterLeaves, flowClusterCAs)
		f.nodes = pick("", flowClusterOne, flowClusterOne, flowClusterSeveral)
		f.node = some([]string{"CP", "10.0.0.300", strings.Repeat("n", 60)}, "cp-1")
		f.address = some([]string{"fd00::11", "127.0.0.1", "\x1b[31m"}, "10.0.0.11")
		f.several = strings.Split(some([]string{"a=10.0.0.1 a=10.0.0.2", "a=10.0.0.1 b=10.0.0.1", "run=10.0.0.1 b=10.0.0.2"}, "cp-1=10.0.0.11 cp-2=10.0.0.12", "cp-1=10.0.0.11"), " ")
		f.several = slices.DeleteFunc(f.several, func(s string) bool { return s == "" })
		if len(f.several) == 0 && f.nodes == flowClusterSeveral {
			f.nodes = ""
		}
		f.endpoint = some([]string{"", "https://x", "10.0.0.300"}, "k8s.example.com", "10.0.0.10:6443", "[fd00::10]:443")
		f.port, f.serviceCIDR = some([]string{"0x", "70000", "-1"}, "8443"), some([]string{"fd00:96::/112", "0.0.0.0/12", "10.0.0.0/31"}, "10.96.0.0/16", "10.96.0.0/16,fd00::/112")
		f.dnsDomain, f.name = some([]string{"K8S"}, "k8s.local"), some([]string{"a b", "\u202eevil"}, "prod_eu")
		f.sans = splitList(some([]string{"10.0.0.300"}, "api.example.com", "*.example.com,10.1.1.1"))
		f.etcd, f.etcdSANs = pick("", "", "true", "false"), splitList(some([]string{"fe80::1%eth0"}, "etcd.example.com"))
		f.key, f.version = some([]string{"ed25519"}, "ecdsa-p384"), some([]string{"v2.0.0", "new"}, "v1.28.1")
		f.validity, f.caValidity = some([]string{"20y", "soon"}, "20d"), some([]string{"10d"}, "5y")

		wrong := f.walk(t)
		args := append(f.command(), "--dry-run", "-o", "json")
		got := runCLI(t, root, args...)
		var log jobLog
		reviewed, err := f.review(t.Context(), log.newJob())
		if (err != nil) != (got.code != 0) {
			t.Fatalf("%d: %q: %v, and the command says %+v", i, args, err, got)
		}
		if err != nil {
			refused++
			if want := "error: " + show.Text(err.Error()) + "\n"; !strings.HasPrefix(got.stderr, want) && f.port != "0x" { // which the flags do not know for a number
				t.Errorf("%d: %q:\n%s%s", i, args, want, got.stderr)
			}
			continue
		}
		if wrong != nil {
			t.Errorf("%d: %q: a step refuses what the command takes: %v", i, args, wrong)
		}
		if want := wouldMake(t, got.stdout); !slices.Equal(want, announced(reviewed)) {
			t.Errorf("%d: %q: %q\n%q", i, args, want, announced(reviewed))
		}
	}
	if refused < 5 || refused > 35 {
		t.Errorf("%d of 40 were refused: that tests little", refused)
	}
}

// wouldMake are the entries that a dry run of cluster init would make.
func wouldMake(t *testing.T, output string) []string {
	t.Helper()
	var result cluster.InitResult
	if err := json.Unmarshal([]byte(output), &result); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	var list []string
	for _, node := range result.Nodes {
		for _, e := range node.Entries {
			switch e.State {
			case cluster.StateMade, cluster.StateCopied:
				list = append(list, e.Files...)
			case cluster.StateRequested:
				entry, _ := cluster.EntryNamed(e.Name)
				list = append(list, e.Request, entry.KeyPath(node.Dir))
			}
		}
	}
	return list
}

func announced(r *review) []string {
	var list []string
	for _, file := range r.writes {
		if filepath.Base(file.path) != cluster.SettingsFile {
			list = append(list, file.path)
		}
	}
	return list
}

// TestFlowClusterDifferences: what is wrong is shown, nothing is written, and
// the question whether to repair comes then, and not before.
func TestFlowClusterDifferences(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	if got := runCLI(t, root, "cluster", "init", "--node", "cp-1=10.0.0.11"); got.code != 0 {
		t.Fatal(got)
	}
	f := newFlowClusterIn(root, time.Now)
	steps := f.steps()
	repair := steps[len(steps)-1]
	f.command()
	var log jobLog
	if r, err := f.review(t.Context(), log.newJob()); err != nil || r.nothing == "" || wrongRows(r) != nil || !repair.hidden() {
		t.Fatalf("%v %+v", err, r)
	}
	f.dnsDomain = "other.local"
	before := snapshotFiles(t, root)
	r, err := f.review(t.Context(), log.newJob())
	if err != nil || len(wrongRows(r)) != 1 || r.writes != nil || repair.hidden() {
		t.Fatalf("%v %+v", err, r)
	}
	got := runCLI(t, root, f.command()...)
	if line := "kubernetes/" + wrongRows(r)[0]; got.code != 3 || !strings.Contains(got.stdout, line) || !strings.Contains(line, "apiserver.crt: SAN: wanted") {
		t.Errorf("the command exits with %d and does not say %s\n%s", got.code, line, got.stdout)
	}
	if _, err := f.run(t.Context(), log.newJob()); err == nil || !strings.Contains(err.Error(), "nothing was written") {
		t.Error(err)
	}
	checkWritten(t, nil, before, snapshotFiles(t, root))
	f.repair = true
	if !slices.Contains(f.command(), "--repair") {
		t.Error(f.command())
	}
	f.dir = filepath.Join(root, "other")
	if args := f.command(); slices.Contains(args, "--repair") || !repair.hidden() {
		t.Errorf("a wish for one directory counts for another: %q", args)
	}
	if err := os.Remove(filepath.Join(root, "kubernetes/pki/sa.pub")); err != nil {
		t.Fatal(err)
	}
	f.dir = ""
	f.command()
	if r, err := f.review(t.Context(), log.newJob()); err != nil || len(wrongRows(r)) < 2 || !strings.Contains(strings.Join(wrongRows(r), "\n"), "sa.pub") {
		t.Errorf("%v %+v", err, r)
	}
}

// wrongRows are the lines of a review that say what is wrong.
func wrongRows(r *review) []string {
	var lines []string
	for _, each := range r.rows {
		if path, rest, is := strings.Cut(each.value, ": wanted "); is {
			lines = append(lines, path+": "+each.label+": wanted "+rest)
		}
	}
	return lines
}
