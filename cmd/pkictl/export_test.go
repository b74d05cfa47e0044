package main_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
)

// checkSecrets has a real API server take the manifests, and compares what it
// gives back with the files.
func (w userDir) checkSecrets(kubectl, server string) {
	w.t.Helper()
	w.pkictl("issue --cn secret-admin --group system:masters --kubeconfig secret-admin.conf --server " + server)
	kubectl += " --kubeconfig secret-admin.conf"
	for _, form := range []string{"tls-secret", "opaque-secret"} {
		cn := "in-" + form
		w.pkictl("issue --cn " + cn + " -o " + form + " --namespace kube-public --kubeconfig " + cn + ".conf --server " + server)
		w.run("sh", "-c", kubectl+" create -f pki/"+cn+".secret.yaml")
		w.compareSecret(kubectl, cn, form == "opaque-secret")

		piped := cn + "-piped"
		w.run("sh", "-c", pkictl()+" issue --cn "+piped+" -o "+form+" --namespace kube-public --export - | "+kubectl+" apply -f -")
		w.compareSecret(kubectl, piped, false)
	}
}

// compareSecret compares a Secret on the server with the files of that name.
func (w userDir) compareSecret(kubectl, name string, withKubeconfig bool) {
	w.t.Helper()
	var secret struct{ Data map[string][]byte }
	out := w.run("sh", "-c", kubectl+" get secret --namespace kube-public -o json "+name)
	if err := json.Unmarshal([]byte(out), &secret); err != nil {
		w.t.Fatal(err)
	}
	files := map[string]string{"tls.crt": "pki/" + name + ".crt", "tls.key": "pki/" + name + ".key", "ca.crt": "pki/ca.crt"}
	if withKubeconfig {
		files["kubeconfig"] = name + ".conf"
	}
	for key, file := range files {
		data, err := os.ReadFile(filepath.Join(w.dir, file))
		if err != nil {
			w.t.Fatal(err)
		}
		if string(secret.Data[key]) != string(data) {
			w.t.Errorf("%s of Secret %s is not %s", key, name, file)
		}
	}
	if len(secret.Data) != len(files) || !strings.Contains(out, `"pkictl.dev/serial"`) {
		w.t.Errorf("the server has\n%s", out)
	}
}
