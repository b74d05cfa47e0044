package cluster

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pkictl/pkictl/internal/failure"
)

// nodesOptions are those of a cluster with nodes of these names.
func nodesOptions(dir string, names ...string) InitOptions {
	o := InitOptions{Dir: dir, Settings: Settings{Endpoint: "k8s.example.com"}, Now: initNow}
	for _, name := range names {
		o.Settings.Nodes = append(o.Settings.Nodes, NodeSettings{name, "10.0.0.1" + strings.TrimPrefix(name, "cp-")})
	}
	return o
}

// checkNodes checks that all nodes share what they have to, and that what each
// has of its own is right.
func checkNodes(t *testing.T, o InitOptions) {
	t.Helper()
	result := testInit(t, o)
	if kept := states(result, StateKept); len(kept) != len(Layout())*len(o.Settings.Nodes) {
		t.Errorf("kept %q; %v", kept, result.Differences)
	}
	for _, entry := range Layout() {
		contents := map[string]bool{}
		for _, n := range o.Settings.Nodes {
			data, err := os.ReadFile(entry.KeyPath(filepath.Join(o.Dir, n.Name)))
			if err != nil {
				t.Fatal(err)
			}
			contents[string(data)] = true
		}
		if want := map[bool]int{true: 1, false: len(o.Settings.Nodes)}[entry.IsShared()]; len(contents) != want {
			t.Errorf("%s: %d different keys, want %d", entry.Name, len(contents), want)
		}
		for _, path := range entry.Paths("") {
			if !entry.IsShared() {
				continue
			}
			first, _ := os.ReadFile(filepath.Join(o.Dir, o.Settings.Nodes[0].Name, path))
			for _, n := range o.Settings.Nodes {
				if data, err := os.ReadFile(filepath.Join(o.Dir, n.Name, path)); err != nil || string(data) != string(first) {
					t.Errorf("%s of %s is another (%v)", path, n.Name, err)
				}
			}
		}
	}
	if left, _ := filepath.Glob(filepath.Join(o.Dir, ".*")); left != nil {
		t.Errorf("left %q", left)
	}
}

// checkInitRefused checks an error, and that nothing was changed.
func checkInitRefused(t *testing.T, o InitOptions, says, hint string) {
	t.Helper()
	before := filesOf(t, o.Dir)
	_, err := Init(t.Context(), o)
	var known *failure.Error
	if !errors.As(err, &known) || !strings.Contains(err.Error(), says) || !strings.Contains(known.Hint, hint) {
		t.Errorf("got %v, want %q and %q", err, says, hint)
	}
	if list := changed(before, filesOf(t, o.Dir)); list != nil {
		t.Errorf("%s: changed %q", says, list)
	}
}

func TestInitNodes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	checkNodes(t, doInit(t, nodesOptions(dir, "cp-1", "cp-2", "cp-3")))
	before := filesOf(t, dir)

	// One more.
	checkNodes(t, doInit(t, nodesOptions(dir, "cp-1", "cp-2", "cp-3", "cp-4")))
	for _, path := range changed(before, filesOf(t, dir)) {
		if !strings.HasPrefix(path, "cp-4/") && path != SettingsFile {
			t.Errorf("%s changed", path)
		}
	}
	checkInitRefused(t, nodesOptions(dir, "cp-5"), "directories of other nodes: cp-1, cp-2, cp-3, cp-4", "name all")
	checkInitRefused(t, nodesOptions(dir, "cp-1"), "directories of other nodes: cp-1, cp-2, cp-3, cp-4", "name all")
	checkInitRefused(t, nodesOptions(dir, "cp-5", "cp-6"), "directories of other nodes: cp-1, cp-2, cp-3, cp-4", "name all")
	checkInitRefused(t, nodesOptions(dir, "cp-1", "cp-2", "cp-3"), "directories of other nodes: cp-4", "name all")

	// The directory of the first is lost, CAs and all.
	if err := os.RemoveAll(filepath.Join(dir, "cp-1")); err != nil {
		t.Fatal(err)
	}
	result := testInit(t, nodesOptions(dir, "cp-1", "cp-2", "cp-3", "cp-4"))
	if copied := states(result, StateCopied); len(copied) != 4 {
		t.Errorf("copied %q", copied)
	}
	checkNodes(t, nodesOptions(dir, "cp-1", "cp-2", "cp-3", "cp-4"))

	// One without the key of a CA is not given it, and not copied from.
	removed("cp-1/pki/ca.key", "cp-2/pki/etcd/ca.key")(t, dir)
	o := doInit(t, nodesOptions(dir, "cp-1", "cp-2", "cp-3", "cp-4", "cp-5"))
	for name, want := range map[string]bool{"cp-1": false, "cp-3": true, "cp-5": true} {
		if _, err := os.Lstat(filepath.Join(dir, name, "pki", "ca.key")); (err == nil) != want {
			t.Errorf("%s has a CA key: %v", name, err)
		}
	}

	other := t.TempDir()
	testInit(t, nodesOptions(other, "cp-1", "cp-2"))
	for _, path := range []string{"ca.crt", "front-proxy-ca.crt", "etcd/ca.crt", "sa.key"} {
		path := filepath.Join("cp-2", "pki", path)
		ours, err := os.ReadFile(filepath.Join(dir, path))
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := os.ReadFile(filepath.Join(other, path))
		if err != nil {
			t.Fatal(err)
		}
		testWrite(t, filepath.Join(dir, path), theirs)
		for _, repair := range []bool{false, true} {
			o.Repair = repair
			checkInitRefused(t, o, "are not the same, but all nodes of a control plane share them", "different clusters")
		}
		testWrite(t, filepath.Join(dir, path), ours)
	}
}

func doInit(t *testing.T, o InitOptions) InitOptions {
	t.Helper()
	testInit(t, o)
	return o
}

// TestInitNodesRepairShared: what is shared is copied as it will be, not as it was.
func TestInitNodesRepairShared(t *testing.T) {
	t.Parallel()
	for _, spoil := range []damage{removed("cp-2/pki/sa.pub"), otherPublicKey("cp-2/pki/sa.pub"), halved("cp-2/pki/sa.pub")} {
		dir := t.TempDir()
		o := doInit(t, nodesOptions(dir, "cp-1", "cp-2"))
		all(spoil, removed("cp-1/pki/sa.pub", "cp-1/pki/sa.key"))(t, dir)
		o.Repair = true
		result := testInit(t, o)
		if got := append(states(result, StateCopied), states(result, StateRepaired)...); !slices.Equal(got, []string{NameSA, NameSA}) {
			t.Errorf("copied and repaired %q", got)
		}
		checkNodes(t, o)
	}
}

// otherPublicKey writes a public key whose private one nobody has.
func otherPublicKey(path string) damage {
	return func(t *testing.T, dir string) {
		elsewhere := t.TempDir()
		testInit(t, initOptions(elsewhere))
		data, err := os.ReadFile(filepath.Join(elsewhere, "pki", "sa.pub"))
		if err != nil {
			t.Fatal(err)
		}
		testWrite(t, filepath.Join(dir, filepath.FromSlash(path)), data)
	}
}

// TestInitOneToSeveral: a directory of one node becomes one of several as the
// hint says, with the CAs that there are.
func TestInitOneToSeveral(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	testInit(t, nodesOptions(dir, "cp-1"))
	several := nodesOptions(dir, "cp-2", "cp-1") // in any order
	checkInitRefused(t, several, "is the directory of one node, cp-1", "mkdir "+filepath.Join(dir, "cp-1")+" && mv ")
	before, err := os.ReadFile(filepath.Join(dir, "pki", "ca.key"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "cp-1"), 0o700); err != nil {
		t.Fatal(err)
	}
	moved, err := filepath.Glob(filepath.Join(dir, "*.conf"))
	if err != nil || len(moved) != 5 {
		t.Fatal(err, moved)
	}
	for _, path := range append(moved, filepath.Join(dir, "pki")) {
		if err := os.Rename(path, filepath.Join(dir, "cp-1", filepath.Base(path))); err != nil {
			t.Fatal(err)
		}
	}
	result := testInit(t, several)
	if result.Differences != nil || len(states(result, StateCopied)) != 4 || len(states(result, StateKept)) != 16 {
		t.Errorf("%v", result.Differences)
	}
	checkNodes(t, several)
	if after, err := os.ReadFile(filepath.Join(dir, "cp-2", "pki", "ca.key")); err != nil || string(after) != string(before) {
		t.Errorf("another CA (%v)", err)
	}
}

func TestInitPlaces(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"pki", "run", SettingsFile} {
		o := nodesOptions(t.TempDir(), "cp-1", "cp-2")
		o.Settings.Nodes[1].Name = name
		checkInitRefused(t, o, "is taken by pkictl", "another name")
	}
	for _, path := range []string{"cp-1", "cp-1/pki", "cp-1/pki/etcd"} {
		o := nodesOptions(t.TempDir(), "cp-1", "cp-2")
		if err := os.MkdirAll(filepath.Dir(filepath.Join(o.Dir, path)), 0o700); err != nil {
			t.Fatal(err)
		}
		testWrite(t, filepath.Join(o.Dir, path), nil)
		checkInitRefused(t, o, "is not a directory", "--dir")
		o.DryRun = true
		checkInitRefused(t, o, "is not a directory", "--dir")
	}
	o := nodesOptions(filepath.Join(t.TempDir(), "new", "deep"), "cp-1", "cp-2")
	o.DryRun = true
	if result := testInit(t, o); len(states(result, StateMade)) != 16+12 || len(states(result, StateCopied)) != 4 {
		t.Errorf("%+v", result)
	}
	if _, err := os.Lstat(filepath.Dir(o.Dir)); err == nil {
		t.Error("a dry run made a directory")
	}
}
