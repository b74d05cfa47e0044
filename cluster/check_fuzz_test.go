package cluster

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// FuzzCheck has files hold anything: all of it is found, or right, and no word
// of a finding is missing.
func FuzzCheck(f *testing.F) {
	const conf = "clusters: [{name: c, cluster: {server: 'https://[fd00::1]:6443', certificate-authority: pki/ca.crt}}]\n" +
		"users: [{name: system:node:x, user: {client-certificate: pki/apiserver.crt, client-key: pki/apiserver.key}}]\n" +
		"contexts: [{name: x, context: {cluster: c, user: system:node:x}}]\ncurrent-context: x\n"
	f.Add([]byte(conf), []byte("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"), []byte("{apiVersion: v1, kind: Pod, spec: {containers: [{command: [kube-apiserver, --service-cluster-ip-range=x]}]}}"))
	f.Add([]byte("clusters: [{name: c, cluster: {server: '%zz'}}]"), []byte{0}, []byte("--advertise-address=::1%eth0"))
	f.Add([]byte(nil), []byte(nil), []byte("{spec: {containers: [{command: [kube-apiserver, --service-cluster-ip-range=255.255.255.255/32, --secure-port=99999]}]}}"))
	f.Fuzz(func(t *testing.T, config, cert, manifest []byte) {
		dir := t.TempDir()
		for name, data := range map[string][]byte{
			NameAdmin: config, NameKubelet: config, nameControllerManager: config,
			"pki/ca.crt": cert, "pki/apiserver.crt": cert, "pki/apiserver.key": cert, "pki/sa.pub": cert, "manifests/kube-apiserver.yaml": manifest,
		} {
			path := filepath.Join(dir, filepath.FromSlash(name))
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			testWrite(t, path, data)
		}
		report, err := Check(t.Context(), CheckOptions{Dir: dir, Now: time.Now()})
		if err != nil {
			t.Fatal(err) // that there is a directory is all it takes
		}
		if report.OK {
			t.Error("all of it is right, but sa.key is missing")
		}
		for _, f := range report.Findings {
			if f.File == "" || f.Field == "" || f.Wanted == "" || f.Found == "" || f.Hint == "" {
				t.Errorf("not all is said: %+v", f)
			}
		}
		if _, err := report.Metrics(); err != nil {
			t.Error(err)
		}
	})
}
