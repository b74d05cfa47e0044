package apiserver

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pkictl/pkictl/internal/failure"
)

// auditChange is what an audit log needs.
var auditChange = Change{
	Set: []Flag{
		{Name: "audit-policy-file", Value: "/etc/kubernetes/audit-policy.yaml"},
		{Name: "audit-log-path", Value: "/var/log/kubernetes/audit/audit.log"},
		{Name: "enable-admission-plugins", Value: "PodSecurity", Add: true},
	},
	Volumes: []Volume{
		{Name: "audit-policy", Path: "/etc/kubernetes/audit-policy.yaml", Type: HostPathFile, ReadOnly: true},
		{Name: "audit-log", Path: "/var/log/kubernetes/audit", Type: HostPathDirectoryOrCreate},
	},
}

// TestManifestApply makes changes of manifests of many forms. Each file in
// testdata/manifest has the manifest, and behind a line of dashes and > what it
// is after auditChange.
func TestManifestApply(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/manifest/*.txt")
	if err != nil || len(files) < 5 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			before, want, _ := strings.Cut(string(data), "---->\n")
			for _, ending := range []string{"\n", "\r\n"} {
				before, want := strings.ReplaceAll(before, "\n", ending), strings.ReplaceAll(want, "\n", ending)
				m, err := ParseManifest("m.yaml", []byte(before))
				if err != nil {
					t.Fatal(err, failure.HintOf(err))
				}
				got, err := m.Apply(auditChange)
				if err != nil {
					t.Fatal(err, failure.HintOf(err))
				}
				if string(got) != want {
					if os.Getenv("UPDATE") != "" && ending == "\n" {
						_ = os.WriteFile(file, []byte(before+"---->\n"+string(got)), 0o644)
					}
					t.Errorf("after the change it is\n%s", got)
				}
				again, err := ParseManifest("m.yaml", got)
				if err != nil {
					t.Fatal(err)
				}
				if same, err := again.Apply(auditChange); err != nil || string(same) != string(got) {
					t.Errorf("a second time it is, %v\n%s", err, same)
				}
			}
		})
	}
}
