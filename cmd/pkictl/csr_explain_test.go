package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/csr"
)

// recipe runs what --explain of a command line prints, with kubectl in PATH.
func (c realCluster) recipe(w userDir, line string) string {
	w.t.Helper()
	script := w.pkictl(line + " --explain")
	return w.run("sh", "-ec", `PATH="`+filepath.Dir(c.kubectl)+`:$PATH"; `+script)
}

// TestCSRRecipes runs the recipes of all verbs and compares what they make with
// what the commands make.
func TestCSRRecipes(t *testing.T) {
	t.Parallel()
	cluster := sharedCluster(t)
	c, w := client(t, cluster.admin), newUserDir(t)
	w.pkictl("init-ca")
	for _, line := range []string{
		"csr new jane --group b --group a/c",
		"csr new web.example.com --dns web.example.com --ip 10.0.0.1 --uri spiffe://x/y --email a@example.com --key rsa-2048",
		"csr new ed --key ed25519",
	} {
		name := strings.Fields(line)[2]
		w.pkictl(line + " --out own")
		cluster.recipe(w, line)
		theirs, err := ca.ReadRequest(filepath.Join(w.dir, name+".csr"))
		ok(t, err)
		ours, err := ca.ReadRequest(filepath.Join(w.dir, "own.csr"))
		ok(t, err)
		a, b := ours.X509(), theirs.X509()
		sans := func(r *ca.CertificateRequest) string {
			x := r.X509()
			return strings.Join(ca.SANs{DNS: x.DNSNames, IPs: x.IPAddresses, URIs: x.URIs, Emails: x.EmailAddresses}.Strings(), ",")
		}
		if ca.FormatName(a.RawSubject) != ca.FormatName(b.RawSubject) || sans(ours) != sans(theirs) || ca.KeyName(a.PublicKey) != ca.KeyName(b.PublicKey) {
			t.Errorf("%s: %s %s, and by the recipe %s %s", line, ca.FormatName(a.RawSubject), sans(ours), ca.FormatName(b.RawSubject), sans(theirs))
		}
		if info, err := os.Stat(filepath.Join(w.dir, name+".key")); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: the key is %v %v", line, info, err)
		}
		ok(t, os.Remove(filepath.Join(w.dir, "own.csr")))
		ok(t, os.Remove(filepath.Join(w.dir, "own.key")))
	}
	ok(t, os.Remove(filepath.Join(w.dir, "jane.csr")))
	if script := w.pkictl("csr new jane --explain"); strings.Contains(script, "genpkey") {
		t.Errorf("with a key that is there it says\n%s", script)
	}

	kubeconfig := " --kubeconfig " + cluster.admin
	submit := "csr submit web.example.com.csr --name csr-recipes --signer example.com/csr-recipes --expiration 12h --usage server+auth --usage digital+signature --usage key+encipherment"
	args := strings.Fields(submit + kubeconfig)
	for i := range args {
		args[i] = strings.ReplaceAll(args[i], "+", " ")
	}
	script := w.run(pkictl(), append(args, "--explain")...)
	w.run("sh", "-ec", `PATH="`+filepath.Dir(cluster.kubectl)+`:$PATH"; `+script)
	if out := w.run(pkictl(), args...); !strings.HasPrefix(out, "Found csr-recipes: the same") {
		t.Errorf("after the recipe submit says\n%s", out)
	}
	object, err := csr.Get(t.Context(), c, "csr-recipes")
	ok(t, err)
	if s := csr.Summarize(object); !s.Mine || len(s.Notes) != 1 {
		t.Errorf("the recipe made %+v", s)
	}
	if out := cluster.recipe(w, "csr list --mine --signer example.com/csr-recipes"+kubeconfig); !strings.Contains(out, "csr-recipes") || strings.Count(out, "\n") != 2 {
		t.Errorf("kubectl lists\n%s", out)
	}
	_, err = csr.Approve(t.Context(), c, object, "")
	ok(t, err)
	cluster.recipe(w, "csr wait csr-recipes --for approved"+kubeconfig)
	cluster.recipe(w, "csr sign csr-recipes"+kubeconfig)
	cluster.recipe(w, "csr wait csr-recipes --out got.crt"+kubeconfig)
	w.run("openssl", "verify", "-CAfile", "pki/ca.crt", "got.crt")
	signed, err := ca.ReadCertificate(filepath.Join(w.dir, "got.crt"))
	ok(t, err)
	if lifetime := signed.NotAfter.Sub(signed.NotBefore); lifetime.Hours() < 12 || lifetime.Hours() > 12.2 || signed.Subject.CommonName != "web.example.com" {
		t.Errorf("it lives for %v, for %v", lifetime, signed.Subject)
	}
}
