package kubeconfig_test

import (
	"context"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/kubeconfig"
)

// mergeInto merges files of a directory into the file target there.
func mergeInto(t testing.TB, dir string, o kubeconfig.MergeOptions, sources ...string) (*kubeconfig.MergeResult, error) {
	t.Helper()
	o.Into = []string{filepath.Join(dir, "target")}
	for _, source := range sources {
		o.Sources = append(o.Sources, filepath.Join(dir, source))
	}
	return kubeconfig.Merge(context.Background(), o)
}

// TestMergeEmptyLists: a list with nothing in it is filled, and all else stays,
// whatever stands for nothing.
func TestMergeEmptyLists(t *testing.T) {
	t.Parallel()
	for before, after := range map[string]string{
		"clusters: []\n":               "clusters:\nCLUSTER",
		"clusters: [ ]\n":              "",
		"clusters: null\n":             "clusters:\nCLUSTER",
		"clusters: ~ # none\n":         "clusters: # none\nCLUSTER",
		"clusters:\n":                  "clusters:\nCLUSTER",
		"clusters:   # none\n":         "clusters:   # none\nCLUSTER",
		"clusters: []   # none yet \n": "clusters:   # none yet \nCLUSTER",
		"clusters:":                    "clusters:\nCLUSTER",
		"clusters:\n  null\n":          "",
		"clusters: !!seq []\n":         "",
		"\"clusters\": []\n":           "",
		"clusters: &a []\n":            "",
	} {
		text := "x: 1\n\n\n" + "contexts: []\n" + before
		want := "x: 1\n\n\n" + "contexts:\n" + newContext + strings.ReplaceAll(after, "CLUSTER", newCluster) + "current-context: jane@prod\nusers:\n" + newUser
		got, err := kubeconfig.MergeData([]byte(text), []byte(source), "target", "source", kubeconfig.MergeOptions{})
		if err != nil || after != "" && string(got) != want || after == "" && !strings.Contains(string(got), "server: \"https://10.0.0.10:6443\"") {
			t.Errorf("%q: %v\n%s\nwant\n%s", before, err, got, want)
		}
	}
}

// TestMergeWrittenAnew: where a file is written anew there is a warning, and none
// where it is edited.
func TestMergeWrittenAnew(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{"clusters: []\nusers:   []\n": 0, "clusters: [{name: a, cluster: {server: https://a}}]\n": 1} {
		dir := t.TempDir()
		write(t, dir, "target", text)
		write(t, dir, "source", source)
		for _, dry := range []bool{true, false} {
			result, err := mergeInto(t, dir, kubeconfig.MergeOptions{DryRun: dry}, "source")
			if err != nil || strings.Count(strings.Join(result.Warnings, "\n"), "is written anew") != want {
				t.Errorf("%q: %v %+v", text, err, result)
			}
		}
	}
}

// TestMergeWarnsOfReaders: a secret that comes into a file which others may read
// is worth a warning; a cluster or a path is not.
func TestMergeWarnsOfReaders(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		mode os.FileMode
		user string
		want bool
	}{
		{0o644, "token: t", true},
		{0o640, "client-key-data: a2V5", true},
		{0o600, "token: t", false},
		{0o644, "client-key: key", false},
		{0o622, "token: t", false},
	} {
		dir := t.TempDir()
		write(t, dir, "target", "users: []\n")
		if err := os.Chmod(filepath.Join(dir, "target"), test.mode); err != nil {
			t.Fatal(err)
		}
		write(t, dir, "source", strings.Replace(source, "token: secret-of-jane", test.user, 1))
		result, err := mergeInto(t, dir, kubeconfig.MergeOptions{}, "source")
		if err != nil || strings.Contains(strings.Join(result.Warnings, "\n"), `which now holds a secret of user "jane": chmod 600`) != test.want {
			t.Errorf("%v, %s: %v %+v", test.mode, test.user, err, result)
		}
	}
}

// TestMergeRenames: a name may hold a =, old ones and new ones.
func TestMergeRenames(t *testing.T) {
	t.Parallel()
	const head = "clusters: [{name: c, cluster: {server: https://c}}]\nusers: [{name: u, user: {token: t}}]\ncontexts:\n"
	one := func(name string) string { return "- {name: '" + name + "', context: {cluster: c, user: u}}\n" }
	for _, test := range []struct {
		contexts, rename []string
		want, says       string
	}{
		{[]string{"a=b"}, []string{"a=b=c"}, "c", ""},
		{[]string{"a=b", "x"}, []string{"a=b=c=d", "x=y"}, "c=d y", ""},
		{[]string{"a"}, []string{"a=b=c"}, "b=c", ""},
		{[]string{"a"}, []string{"b"}, "b", ""},
		{[]string{"a", "a=b"}, []string{"a=b=c"}, "", "may be for context"},
		{[]string{"a"}, []string{"b=c"}, "", `no context "b" comes over`},
		{[]string{"a", "b"}, []string{"c"}, "", "2 come over"},
		{[]string{"a", "b"}, []string{"a=x", "a=y"}, "", "one too many"},
		{[]string{"a=b"}, []string{"a=b="}, "", "lacks a name"},
		{[]string{"a"}, []string{"=b"}, "", "lacks a name"},
	} {
		text := head
		for _, name := range test.contexts {
			text += one(name)
		}
		dir := t.TempDir()
		write(t, dir, "source", text)
		result, err := mergeInto(t, dir, kubeconfig.MergeOptions{Rename: test.rename}, "source")
		if test.says != "" {
			if err == nil || !strings.Contains(err.Error(), test.says) || failure.KindOf(err) != failure.Usage {
				t.Errorf("%q: %v", test.rename, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", test.rename, err)
			continue
		}
		var names []string
		for _, e := range result.Entries {
			if e.Kind == "context" {
				names = append(names, e.Name)
			}
		}
		if strings.Join(names, " ") != test.want {
			t.Errorf("%q: %q", test.rename, names)
		}
	}
}

// TestMergeSourcesCollide: where two sources collide, both are named, and not
// the file that neither is in.
func TestMergeSourcesCollide(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "a", source)
	write(t, dir, "b", strings.Replace(source, "10.0.0.10", "10.0.0.11", 1))
	_, err := mergeInto(t, dir, kubeconfig.MergeOptions{}, "a", "b")
	want := `of "` + filepath.Join(dir, "b") + `" (https://10.0.0.11:6443) is not that of "` + filepath.Join(dir, "a") + `" (https://10.0.0.10:6443)`
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v", err)
	}
}

// TestMergeWithoutNames: an entry whose name cannot be found is not said to be a
// key.
func TestMergeWithoutNames(t *testing.T) {
	t.Parallel()
	_, err := kubeconfig.MergeData(nil, []byte("contexts:\n- context: {cluster: c}\n"), "target", "source", kubeconfig.MergeOptions{})
	if err == nil || !strings.Contains(err.Error(), "context in line 2") || strings.Contains(err.Error(), "key") {
		t.Errorf("%v", err)
	}
}

// TestMergeListedTwice: a file that is listed again, by whatever name, is one.
func TestMergeListedTwice(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "target", strings.ReplaceAll(source, "secret-of-jane", "old"))
	write(t, dir, "source", source)
	if err := os.Symlink("target", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	o := kubeconfig.MergeOptions{Sources: []string{filepath.Join(dir, "source")}, Replace: true}
	for _, name := range []string{"target", "target", "link", "../" + filepath.Base(dir) + "/target"} {
		o.Into = append(o.Into, dir+"/"+name)
	}
	result, err := kubeconfig.Merge(context.Background(), o)
	if err != nil || !reflect.DeepEqual(result.Files, o.Into[:1]) {
		t.Errorf("%v %+v", err, result)
	}
	if config, err := kubeconfig.Load(filepath.Join(dir, "target")); err != nil || config.AuthInfos["jane"].Token != "secret-of-jane" {
		t.Errorf("%v %+v", err, config)
	}
	if _, err := kubeconfig.ExplainMerge(context.Background(), o); err != nil {
		t.Error(err)
	}
}
