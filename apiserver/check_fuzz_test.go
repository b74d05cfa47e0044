package apiserver_test

import (
	"os"
	"testing"

	"github.com/pkictl/pkictl/apiserver"
)

// FuzzCheckFiles: whatever stands in the files that flags name, each check comes
// to an end and says something.
func FuzzCheckFiles(f *testing.F) {
	for _, name := range []string{"probes.yaml", "authz.yaml", "aescbc.yaml", "policy.yaml", "tabs.yaml"} {
		f.Add([]byte(checkFiles[name]))
	}
	f.Add([]byte("rules: [{level: Request, users: [a], resources: [{resources: ['*/*']}]}]\napiVersion: audit.k8s.io/v1\nkind: Policy\n"))
	f.Add([]byte("anonymous: {enabled: true, conditions: 3}\nresources: [{resources: [secrets], providers: [x]}]\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		s := newCheckSite(t)
		s.must(os.WriteFile(s.dir+"/etc/file", data, 0o600))
		path := s.pod("kube-apiserver", "v1.36.3", "--authentication-config=ETC/file", "--authorization-config=ETC/file",
			"--encryption-provider-config=ETC/file", "--audit-policy-file=ETC/file")
		report, err := apiserver.CheckManifests(apiserver.CheckOptions{Path: path})
		s.must(err)
		for _, r := range report.Results {
			if r.Status == "" || r.Found == "" {
				t.Errorf("check %s says nothing", r.ID)
			}
		}
	})
}

// FuzzCheckManifest: whatever the manifest is, it is an error or checked.
func FuzzCheckManifest(f *testing.F) {
	s := newCheckSite(f)
	data, err := os.ReadFile(s.pod("kube-apiserver", "v1.36.3", "--profiling", "--audit-log-path", "/a"))
	s.must(err)
	f.Add(data)
	f.Add([]byte("kind: Pod\nspec: {containers: [{name: etcd, command: [etcd, --auto-tls]}]}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		s := newCheckSite(t)
		path := s.manifests + "/kube-apiserver.yaml"
		s.must(os.WriteFile(path, data, 0o600))
		for _, place := range []string{path, s.manifests} {
			if report, err := apiserver.CheckManifests(apiserver.CheckOptions{Path: place}); (report == nil) == (err == nil) {
				t.Errorf("%v, %v", report, err)
			}
			_, _ = apiserver.ExplainCheck(apiserver.CheckOptions{Path: place}) // it ends
		}
	})
}
