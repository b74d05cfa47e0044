package apiserver

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzManifest makes a change of whatever is read as a manifest: the result has
// the flags and the comments, and a second time nothing changes.
func FuzzManifest(f *testing.F) {
	files, err := filepath.Glob("testdata/manifest/*.txt")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		before, _, _ := strings.Cut(string(data), "---->\n")
		f.Add([]byte(before), "audit-log-path", "/var/log/a")
	}
	f.Fuzz(func(t *testing.T, data []byte, name, value string) {
		m, err := ParseManifest("m.yaml", data)
		if err != nil || name == "" || strings.ContainsAny(name, "=\x00") || name != normal(name) || strings.HasPrefix(name, "-") {
			return
		}
		change := auditChange
		change.Set = append([]Flag{{Name: name, Value: value}}, change.Set[1:]...)
		got, err := m.Apply(change)
		if err != nil {
			return
		}
		again, err := ParseManifest("m.yaml", got)
		if err != nil {
			t.Fatal(err)
		}
		if is, found := again.Value(name); !addsUp(name) && name != "audit-log-path" && (!found || is != value) {
			t.Errorf("--%s is %q, want %q", name, is, value)
		}
		if _, isMounted := again.HostPath("/etc/kubernetes/audit-policy.yaml"); !isMounted {
			t.Error("the policy is not mounted")
		}
		if same, err := again.Apply(change); err != nil || !bytes.Equal(same, got) {
			t.Errorf("%v, a second time\n%s\nand first\n%s", err, same, got)
		}
	})
}
