package cluster

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

// TestLocalUsesCertificatesAlone: what runs a program, or is read from another
// file, is not taken out of a kubeconfig of the cluster directory.
func TestLocalUsesCertificatesAlone(t *testing.T) {
	t.Parallel()
	for name, hasCertificate := range map[string]bool{"beside a certificate": true, "instead of one": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := renewSite(t, time.Now())
			path := filepath.Join(dir, NameAdmin)
			config, err := clientcmd.LoadFromFile(path)
			if err != nil {
				t.Fatal(err)
			}
			secret := filepath.Join(dir, "secret")
			testWrite(t, secret, []byte("of another"))
			for _, user := range config.AuthInfos {
				user.Exec = &api.ExecConfig{APIVersion: "client.authentication.k8s.io/v1", Command: "touch", Args: []string{"ran"}, InteractiveMode: api.NeverExecInteractiveMode}
				user.TokenFile, user.Token, user.Username, user.Password, user.Impersonate = secret, "t0ken", "jane", "passw0rd", "root"
				if !hasCertificate {
					user.ClientCertificateData, user.ClientKeyData = nil, nil
				}
			}
			if err := clientcmd.WriteToFile(*config, path); err != nil {
				t.Fatal(err)
			}
			check, err := checkRunnable(dir, true, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			local, err := check.local(NameAdmin)
			if !hasCertificate {
				if err == nil || !strings.Contains(err.Error(), "no client certificate") {
					t.Errorf("%v", err)
				}
				checkedUser(t, dir, nil)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			data, err := local.at("https://127.0.0.1:1", "kubernetes")
			if err != nil {
				t.Fatal(err)
			}
			for _, not := range []string{"exec:", "touch", "token", "jane", "passw0rd", "root", secret} {
				if strings.Contains(string(data), not) {
					t.Errorf("%q was copied", not)
				}
			}
			if !strings.Contains(string(data), "client-certificate-data") || !strings.Contains(string(data), "client-key-data") {
				t.Error("the certificate and the key are not there")
			}
			checkedUser(t, dir, local.user())
		})
	}
}

// checkedUser: cluster check --live makes a client of certificates alone, too.
func checkedUser(t *testing.T, dir string, want *api.AuthInfo) {
	t.Helper()
	entry, _ := EntryNamed(NameAdmin)
	user := certificateUser(Find(dir, entry).User)
	switch {
	case want == nil:
		if user != nil {
			t.Error("there is a user without a certificate")
		}
	case user == nil || user.Exec != nil || user.TokenFile+user.Token+user.Username+user.Password+user.Impersonate != "":
		t.Error("more than the certificate is used")
	}
	if _, err := os.Stat("ran"); err == nil {
		t.Error("a program was run")
	}
}
