package main_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/csr"
	"github.com/pkictl/pkictl/internal/kubeclient"
)

// approvedFor sends and approves a request made by the options.
func approvedFor(t *testing.T, c *kubeclient.Client, name string, r csr.RequestOptions, o csr.SubmitOptions) *csr.Object {
	t.Helper()
	var err error
	_, o.RequestPEM, err = csr.NewRequest(r)
	ok(t, err)
	o.Name = name
	object, _, err := csr.Submit(t.Context(), c, o)
	ok(t, err)
	approved, err := csr.Approve(t.Context(), c, object, "")
	ok(t, err)
	return approved
}

// TestCSRSign: a request has the certificate that was asked for, from the local
// CA and within its limits, or a refusal; the cluster's API takes it.
func TestCSRSign(t *testing.T) {
	t.Parallel()
	cluster := sharedCluster(t)
	c := client(t, cluster.admin)
	const signer = "example.com/csr-sign"
	web := csr.RequestOptions{CommonName: "web.example.com", DNS: []string{"web.example.com"}}
	jane := csr.RequestOptions{CommonName: "jane", Groups: []string{"b", "a"}}
	withKey := func(r csr.RequestOptions, key ca.KeyKind) csr.RequestOptions { r.Key = string(key); return r }
	named := func(cn string, groups ...string) csr.RequestOptions {
		return csr.RequestOptions{CommonName: cn, Groups: groups}
	}
	for name, test := range map[string]struct {
		request    csr.RequestOptions
		signer     string
		usages     string
		expiration time.Duration
		flags      string
		profile    string // it is signed with
		lifetime   time.Duration
		code       int
		says, hint string
	}{
		"client":         {request: jane, usages: "digital signature,client auth", profile: "client", lifetime: 90 * ca.Day},
		"client for 8 h": {request: jane, usages: "digital signature,client auth", expiration: 8 * time.Hour, profile: "client", lifetime: 8 * time.Hour},
		"client for long": {request: jane, usages: "digital signature,client auth", expiration: 1000 * time.Hour, flags: "--max-validity 24h",
			profile: "client", lifetime: 24 * time.Hour, says: "asks for 41d and gets 24h: --max-validity is the limit"},
		"client beyond the CA": {request: jane, usages: "digital signature,client auth", expiration: 20 * ca.Year, flags: "--max-validity 30y",
			profile: "client", lifetime: 10 * ca.Year, says: "the end of the CA is the limit"},
		"client with RSA": {request: withKey(jane, ca.RSA2048), usages: "digital signature,key encipherment,client auth", profile: "client",
			lifetime: 90 * ca.Day, says: "the usage key encipherment, which is for RSA keys of servers"},
		"server":          {request: web, usages: "digital signature,server auth", profile: "server", lifetime: 90 * ca.Day},
		"server with RSA": {request: withKey(web, ca.RSA2048), usages: "server auth,digital signature,key encipherment", profile: "server", lifetime: 90 * ca.Day},
		"peer":            {request: web, usages: "digital signature,server auth,client auth", profile: "peer", lifetime: 90 * ca.Day},
		"masters, allowed": {request: named("boss", "system:masters"), usages: "digital signature,client auth", flags: "--allow group:system:masters",
			profile: "client", lifetime: 90 * ca.Day, says: "system:masters"},
		"for Kubernetes, allowed": {request: named("system:node:csr-sign", "system:nodes"), signer: csr.SignerKubeletClient, usages: "digital signature,client auth",
			flags: "--allow-builtin --allow name:system:node:csr-sign --allow group:system:nodes", code: 1, says: "was signed already", hint: "csr wait"},

		"more usages":    {request: jane, usages: "digital signature,client auth,code signing", code: 4, says: `"code signing", which client certificates`, hint: "deny it"},
		"usages of a CA": {request: jane, usages: "cert sign,client auth,digital signature", code: 4, says: `"cert sign"`, hint: "deny it"},
		"fewer usages":   {request: jane, usages: "client auth", code: 4, says: `does not ask for the usage "digital signature"`, hint: "--usage"},
		"RSA server without key encipherment": {request: withKey(web, ca.RSA2048), usages: "server auth,digital signature", code: 4,
			says: `does not ask for the usage "key encipherment"`, hint: "--usage"},
		"client with names":    {request: web, usages: "digital signature,client auth", code: 4, says: "takes no such alternative names", hint: "--allow names"},
		"masters":              {request: named("boss", "system:masters"), usages: "digital signature,client auth", code: 4, says: "system:masters", hint: "--allow group:system:masters"},
		"a part of Kubernetes": {request: named("system:kube-scheduler"), usages: "digital signature,client auth", code: 4, says: `"system:kube-scheduler"`, hint: "--allow"},
		"for Kubernetes":       {request: jane, signer: csr.SignerClient, usages: "digital signature,client auth", code: 4, says: "is Kubernetes' own", hint: "kube-controller-manager"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newUserDir(t)
			w.pkictl("init-ca")
			object := "csr-sign-" + strings.NewReplacer(" ", "-", ",", "").Replace(strings.ToLower(name))
			o := csr.SubmitOptions{Signer: signer, Usages: strings.Split(test.usages, ","), Expiration: test.expiration}
			if test.signer != "" {
				o.Signer = test.signer
				o.Allow = []string{"name:" + test.request.CommonName, "group:system:nodes"}
			}
			if !ca.IsReserved(test.request.CommonName) {
				o.Allow = nil
			}
			approved := approvedFor(t, c, object, test.request, o)
			if test.code == 1 { // which kube-controller-manager is faster with
				_, err := csr.Wait(t.Context(), c, object, approved.UID, csr.WaitOptions{Known: approved})
				ok(t, err)
			}
			before := snapshot(t, w.dir)
			args := append(in("csr", "sign", object, "-o", "json", "--kubeconfig", cluster.admin), strings.Fields(test.flags)...)
			if test.profile == "" {
				checkRefusal(t, name, runProgram(t, program(w.dir, args...)), test.code, test.says, test.hint)
				checkUnchanged(t, name, w.dir, before)
				return
			}
			dry := runProgram(t, program(w.dir, append(args, "--dry-run")...))
			checkUnchanged(t, "dry run", w.dir, before)
			got := runProgram(t, program(w.dir, args...))
			if dry.code != 0 || got.code != 0 || !strings.Contains(got.stderr, test.says) || !strings.Contains(dry.stderr, test.says) {
				t.Fatalf("exit codes %d and %d\n%s%s", dry.code, got.code, dry.stderr, got.stderr)
			}
			var result struct {
				Items []struct{ Profile, Serial, CertificateFile, Certificate string }
			}
			ok(t, json.Unmarshal([]byte(got.stdout), &result))
			signed, err := csr.Get(t.Context(), c, object)
			ok(t, err)
			cert := csr.Certificate(signed)
			if item := result.Items[0]; cert == nil || item.Profile != test.profile || item.Certificate != string(signed.Status.Certificate) || item.Serial != ca.FormatSerial(cert.SerialNumber) {
				t.Fatalf("it says %+v", item)
			}
			lifetime := cert.NotAfter.Sub(approved.CreationTimestamp.Time)
			if d := lifetime - test.lifetime; d < -10*time.Second || d > time.Minute {
				t.Errorf("it lives for %v, not %v", lifetime, test.lifetime)
			}
			if cert.Subject.CommonName != test.request.CommonName || fmt.Sprint(cert.Subject.Organization) != fmt.Sprint(test.request.Groups) || fmt.Sprint(cert.DNSNames) != fmt.Sprint(test.request.DNS) {
				t.Errorf("it is for %v %v", cert.Subject, cert.DNSNames)
			}
			w.run("openssl", "verify", "-CAfile", "pki/ca.crt", result.Items[0].CertificateFile)
			if again := runProgram(t, program(w.dir, append(in("csr", "sign", object, "--kubeconfig", cluster.admin), strings.Fields(test.flags)...)...)); again.code != 0 ||
				!strings.HasPrefix(again.stdout, "Signed before") || again.stderr != "" {
				t.Errorf("again: exit code %d\n%s%s", again.code, again.stdout, again.stderr)
			}
		})
	}
}

// TestCSRSignStates: what is not approved, or is over, is not signed.
func TestCSRSignStates(t *testing.T) {
	t.Parallel()
	cluster := sharedCluster(t)
	c, w := client(t, cluster.admin), newUserDir(t)
	w.pkictl("init-ca")
	pending := submitted(t, c, "csr-sign-pending", own("example.com/x"))
	denied := submitted(t, c, "csr-sign-denied", own("example.com/x"))
	_, err := csr.Deny(t.Context(), c, denied, "no")
	ok(t, err)
	before := snapshot(t, w.dir)
	sign := func(names ...string) outcome {
		return runProgram(t, program(w.dir, append(in("csr", "sign", "--kubeconfig", cluster.admin), names...)...))
	}
	checkRefusal(t, "pending", sign(pending.Name), 4, "is not approved", "pkictl csr approve csr-sign-pending")
	checkRefusal(t, "denied", sign(denied.Name), 4, "it was denied", "ask who denied it")
	checkRefusal(t, "none", sign("csr-sign-none"), 1, "not found", "pkictl csr list")
	if got := sign(pending.Name, denied.Name); got.code != 4 || !strings.Contains(got.stderr, "2 of 2 certificate signing requests were not signed") {
		t.Errorf("several: exit code %d\n%s", got.code, got.stderr)
	}
	checkUnchanged(t, "refused", w.dir, before)
}

// TestCSRSignKilled kills it between signature and delivery: the next run sends
// the same certificate.
func TestCSRSignKilled(t *testing.T) {
	t.Parallel()
	cluster := sharedCluster(t)
	c, w := client(t, cluster.admin), newUserDir(t)
	p := cluster.newFaultProxy(apiFault{method: "PUT", path: "/status", skip: 1, delay: time.Hour})
	w.pkictl("init-ca")
	approvedFor(t, c, "csr-sign-killed", csr.RequestOptions{CommonName: "killed"}, own("example.com/csr-sign-killed"))
	cmd := program(w.dir, "csr", "sign", "csr-sign-killed", "--kubeconfig", p.kubeconfig)
	ok(t, cmd.Start())
	p.await(t, "PUT", 2)
	ok(t, cmd.Process.Kill())
	_ = cmd.Wait() // it was killed
	if object, err := csr.Get(t.Context(), c, "csr-sign-killed"); err != nil || csr.StateOf(object) != csr.StateApproved {
		t.Fatalf("it is not merely approved: %v", err)
	}
	rows := rowsOf(t, filepath.Join(w.dir, "pki", "inventory.db"))
	out := w.pkictl("csr sign csr-sign-killed --kubeconfig " + cluster.admin)
	if after := rowsOf(t, filepath.Join(w.dir, "pki", "inventory.db")); strings.Join(after, "\n") != strings.Join(rows, "\n") || len(rows) != 2 {
		t.Errorf("the inventory had\n%s\nand has\n%s", rows, after)
	}
	object, err := csr.Get(t.Context(), c, "csr-sign-killed")
	ok(t, err)
	cert := csr.Certificate(object)
	if cert == nil || !strings.Contains(out, ca.FormatSerial(cert.SerialNumber)) || !strings.Contains(strings.Join(rows, " "), cert.SerialNumber.String()) {
		t.Errorf("another certificate was sent:\n%s", out)
	}
	// One that was revoked in between is not sent.
	approvedFor(t, c, "csr-sign-revoked", csr.RequestOptions{CommonName: "revoked"}, own("example.com/csr-sign-killed"))
	p.set(apiFault{method: "PUT", path: "/status", skip: 1, code: 403})
	got := runProgram(t, program(w.dir, "csr", "sign", "csr-sign-revoked", "--kubeconfig", p.kubeconfig))
	checkRefusal(t, "forbidden", got, 4, `cannot sign certificate signing request "csr-sign-revoked"`, "--context")
	w.pkictl("revoke revoked --yes")
	got = runProgram(t, program(w.dir, "csr", "sign", "csr-sign-revoked", "--kubeconfig", cluster.admin))
	checkRefusal(t, "revoked", got, 1, "is revoked", "new request")
}

// TestCSRSignAtOnce: two who sign the same make one certificate.
func TestCSRSignAtOnce(t *testing.T) {
	t.Parallel()
	cluster := sharedCluster(t)
	c, w := client(t, cluster.admin), newUserDir(t)
	w.pkictl("init-ca")
	for round := range 5 {
		name := fmt.Sprintf("csr-sign-at-once-%d", round)
		approvedFor(t, c, name, csr.RequestOptions{CommonName: name}, own("example.com/csr-sign-at-once"))
		inParallel(4, func(int) {
			if got := runProgram(t, program(w.dir, "csr", "sign", name, "--kubeconfig", cluster.admin)); got.code != 0 {
				t.Errorf("exit code %d\n%s", got.code, got.stderr)
			}
		})
		if items := list(t, w.dir, "--cn", name).Items; len(items) != 1 {
			t.Errorf("%d certificates", len(items))
		}
	}
}

// TestCSRSignIntermediate: the certificate comes with the intermediate CA, and a
// key that is encrypted asks for its passphrase once.
func TestCSRSignIntermediate(t *testing.T) {
	t.Parallel()
	cluster := sharedCluster(t)
	c, w := client(t, cluster.admin), newUserDir(t)
	w.pkictl("init-ca")
	ok(t, os.WriteFile(filepath.Join(w.dir, "pass"), []byte("correct horse battery\n"), 0o600))
	w.pkictl("init-ca --dir sub --parent pki --cn sub-ca")
	approvedFor(t, c, "csr-sign-intermediate", csr.RequestOptions{CommonName: "web.example.com", DNS: []string{"web.example.com"}},
		csr.SubmitOptions{Signer: "example.com/web", Usages: []string{"digital signature", "server auth"}})
	encryptedCA := filepath.Join(w.dir, "sub", "ca.key")
	w.run("openssl", "pkey", "-in", encryptedCA, "-aes256", "-passout", "file:"+filepath.Join(w.dir, "pass"), "-out", encryptedCA+".enc")
	ok(t, os.Rename(encryptedCA+".enc", encryptedCA))
	checkRefusal(t, "no passphrase", runProgram(t, program(w.dir, "csr", "sign", "csr-sign-intermediate", "--dir", "sub", "--kubeconfig", cluster.admin)),
		1, "is encrypted", "--passphrase-file")
	w.pkictl("csr sign csr-sign-intermediate --dir sub --passphrase-file pass --kubeconfig " + cluster.admin)
	w.pkictl("csr wait csr-sign-intermediate --out web.crt --kubeconfig " + cluster.admin)
	w.run("openssl", "verify", "-CAfile", "pki/ca.crt", "-untrusted", "web.crt", "web.crt")
}
