package main_test

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/csr"
	"github.com/pkictl/pkictl/internal/kubeclient"
)

// TestSubmitAtOnce: of many who submit the same at once one makes the object,
// and the others find it.
func TestSubmitAtOnce(t *testing.T) {
	t.Parallel()
	c := client(t, sharedCluster(t).admin)
	o := csr.SubmitOptions{RequestPEM: requestOf(t, "submit-at-once")}
	var made atomic.Int32
	uids := sync.Map{}
	inParallel(16, func(int) {
		object, created, err := csr.Submit(t.Context(), c, o)
		if err != nil {
			t.Error(err)
			return
		}
		uids.Store(object.UID, true)
		if created {
			made.Add(1)
		}
	})
	objects := 0
	uids.Range(func(any, any) bool { objects++; return true })
	if made.Load() != 1 || objects != 1 {
		t.Errorf("%d made %d objects", made.Load(), objects)
	}
}

// TestSubmitFindsItsOwn: a request that is made again with the same key is the
// same request; what became of it is said, and nothing is sent again.
func TestSubmitFindsItsOwn(t *testing.T) {
	t.Parallel()
	c := client(t, sharedCluster(t).admin)
	key, err := ca.GenerateKey(ca.ECDSAP256)
	ok(t, err)
	submit := func(now time.Time, expiration time.Duration) (*csr.Object, bool, error) {
		request, err := csr.RequestFor(key, csr.RequestOptions{CommonName: "submit-finds"})
		ok(t, err)
		return csr.Submit(t.Context(), c, csr.SubmitOptions{RequestPEM: request, Expiration: expiration, Now: now})
	}
	first, created, err := submit(time.Now(), time.Hour)
	if err != nil || !created {
		t.Fatal(created, err)
	}
	again, created, err := submit(time.Now(), time.Hour)
	if err != nil || created || again.UID != first.UID {
		t.Errorf("again: created %v, %v", created, err)
	}
	if _, created, err := submit(time.Now(), 2*time.Hour); err != nil || !created {
		t.Errorf("with another lifetime: created %v, %v", created, err)
	}
	_, err = csr.Approve(t.Context(), c, first, "")
	ok(t, err)
	_, err = csr.Wait(t.Context(), c, first.Name, first.UID, csr.WaitOptions{})
	ok(t, err)
	if again, created, err = submit(time.Now(), time.Hour); err != nil || created || csr.StateOf(again) != csr.StateIssued {
		t.Errorf("once issued: created %v, %v", created, err)
	}
	if _, _, err = submit(time.Now().Add(2*time.Hour), time.Hour); err == nil || !strings.Contains(err.Error(), "its certificate ended on") {
		t.Errorf("once it has ended: %v", err)
	}
}

// TestCSRSubmitCommand: what the command sends, says, and refuses.
func TestCSRSubmitCommand(t *testing.T) {
	t.Parallel()
	cluster := sharedCluster(t)
	c, w := client(t, cluster.admin), newUserDir(t)
	submit := func(args ...string) outcome {
		return runProgram(t, program(w.dir, append(in("csr", "submit", "--kubeconfig", cluster.admin), args...)...))
	}
	w.pkictl("csr new csr-submit --group developers --group oncall --key rsa-2048")
	var dry struct {
		Name             string
		DryRun           bool
		Submitted        bool
		RequestedSeconds int
	}
	ok(t, json.Unmarshal([]byte(submit("csr-submit.csr", "--expiration", "8h", "--dry-run", "-o", "json").stdout), &dry))
	if _, err := csr.Get(t.Context(), c, dry.Name); err == nil || !dry.DryRun || dry.Submitted {
		t.Errorf("a dry run made %+v", dry)
	}
	if got := submit("csr-submit.csr", "--expiration", "8h"); got.code != 0 || !strings.HasPrefix(got.stdout, "Submitted "+dry.Name+"\n") {
		t.Errorf("exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	object, err := csr.Get(t.Context(), c, dry.Name)
	ok(t, err)
	if s := csr.Summarize(object); s.Subject != "O=developers,O=oncall,CN=csr-submit" || s.Asked != 8*3600 || !s.Mine || s.Requestor != "kube-admin" ||
		fmt.Sprint(s.Usages) != "[digital signature key encipherment client auth]" || len(s.Notes[csr.AnnotationKey]) != 64 {
		t.Errorf("it is %+v", s)
	}
	if got := submit("csr-submit.csr", "--expiration", "8h"); got.code != 0 || !strings.HasPrefix(got.stdout, "Found "+dry.Name) {
		t.Errorf("exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	_, err = csr.Deny(t.Context(), c, object, "who are you?")
	ok(t, err)
	checkRefusal(t, "denied before", submit("csr-submit.csr", "--expiration", "8h"), 4, "it was denied (PkictlDeny: who are you?)", "with a new key")

	// In DER form, from standard input, and waiting for it.
	w.run("openssl", "req", "-in", "csr-submit.csr", "-outform", "DER", "-out", "der.csr")
	cmd := program(w.dir, "csr", "submit", "-", "--name", "csr-submit-2", "--wait", "--out", "two.crt", "--kubeconfig", cluster.admin)
	cmd.Stdin, err = os.Open(filepath.Join(w.dir, "der.csr"))
	ok(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			if object, err := csr.Get(t.Context(), c, "csr-submit-2"); err == nil {
				_, err = csr.Approve(t.Context(), c, object, "")
				if err != nil {
					t.Error(err)
				}
				return
			}
			if t.Context().Err() != nil {
				return
			}
		}
	}()
	if got := runProgram(t, cmd); got.code != 0 || !strings.HasPrefix(got.stdout, "Issued csr-submit-2\n") || !strings.Contains(got.stderr, "done: submitted csr-submit-2") {
		t.Errorf("exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	<-done
	w.run("openssl", "verify", "-CAfile", filepath.Join(cluster.pki, "ca.crt"), "two.crt")
}

// TestSubmitIsAnothers: an object of that name with another request, or by
// somebody else, is left alone.
func TestSubmitIsAnothers(t *testing.T) {
	t.Parallel()
	cluster := sharedCluster(t)
	c, w := client(t, cluster.admin), newUserDir(t)
	other := submitted(t, c, "submit-anothers", csr.SubmitOptions{})
	w.pkictl("csr new submit-anothers")
	got := runProgram(t, program(w.dir, "csr", "submit", "submit-anothers.csr", "--name", "submit-anothers", "--kubeconfig", cluster.admin))
	checkRefusal(t, "another's", got, 1, `certificate signing request "submit-anothers" exists and is another's: it holds another request`, "--name")
	if now, err := csr.Get(t.Context(), c, other.Name); err != nil || now.ResourceVersion != other.ResourceVersion {
		t.Errorf("it was changed: %v", err)
	}
}

// TestCSRBadInput: nothing is sent, made or changed.
func TestCSRBadInput(t *testing.T) {
	t.Parallel()
	cluster := sharedCluster(t)
	p, w := cluster.newFaultProxy(), newUserDir(t)
	request := func(file, cn string, groups ...string) {
		key, err := ca.GenerateKey(ca.ECDSAP256)
		ok(t, err)
		der, err := x509.CreateCertificateRequest(nil, &x509.CertificateRequest{Subject: pkix.Name{CommonName: cn, Organization: groups}}, key)
		ok(t, err)
		ok(t, os.WriteFile(filepath.Join(w.dir, file), ca.EncodeRequest(der), 0o600))
	}
	request("good", "jane")
	request("masters", "boss", "system:masters")
	request("admin", "system:admin")
	request("long", strings.Repeat("j", 300))
	request("marks", "jane\u202e")
	request("group", "jane", "dev\x1b[31m")
	request("nameless", "", "dev")
	w.pkictl("init-ca")
	w.pkictl("csr new there")
	ok(t, os.WriteFile(filepath.Join(w.dir, "noise"), []byte("noise"), 0o600))
	ok(t, os.WriteFile(filepath.Join(w.dir, "other.key"), []byte("noise"), 0o600))
	w.run("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-aes256", "-pass", "pass:secret", "-out", "locked.key")
	ok(t, os.Symlink("there.key", filepath.Join(w.dir, "link.key")))
	ok(t, os.Mkdir(filepath.Join(w.dir, "dir.csr"), 0o700))
	w.pkictl("csr new resumed")
	ok(t, os.Remove(filepath.Join(w.dir, "resumed.csr")))
	before := snapshot(t, w.dir)
	for _, test := range []struct {
		line       string
		code       int
		says, hint string
	}{
		{"new", 2, "accepts 1 arg", "csr new --help"},
		{"new there", 1, `"there.csr" exists`, "--force"},
		{"new other", 1, `"other.key"`, "BEGIN"},
		{"new locked", 1, `"locked.key" is encrypted`, "openssl req"},
		{"new link", 1, `"link.key" is a symbolic link`, "remove the link"},
		{"new dir --force", 1, `"dir.csr" is not a file`, "--out"},
		{"new resumed --key rsa-2048", 1, `"resumed.key" exists and is of kind ecdsa-p256`, "--force"},
		{"new x --out none/x", 1, "no such file or directory", "make the directory"},
		{"new x --key dsa", 2, `unknown key kind "dsa"`, "choose one of"},
		{"new x --dns -", 2, "not a DNS name", "letters"},
		{"new x --group a --group a", 2, `group "a" is given twice`, "once"},
		{"new " + strings.Repeat("j", 300), 2, "300 characters", "shorter"},
		{"new j\u202ene", 2, "cannot be printed", "leave it out"},
		{"submit", 2, "accepts 1 arg", "csr submit --help"},
		{"submit none", 1, `cannot read "none"`, "check the name"},
		{"submit noise", 1, `"noise" is no certificate request`, "BEGIN CERTIFICATE REQUEST"},
		{"submit /dev/zero", 1, "is larger than", "file you mean"},
		{"submit there.key", 1, `"PRIVATE KEY", not a certificate request`, "pkictl inspect"},
		{"submit masters", 4, "refuses the group system:masters", "pkictl issue"},
		{"submit admin", 4, `the user name "system:admin"`, "--allow name:system:admin"},
		{"submit long", 4, "300 characters", "new request"},
		{"submit marks", 4, `cannot be printed`, "new request"},
		{"submit group", 4, `cannot be printed`, "new request"},
		{"submit nameless", 4, "no common name", "new request"},
		{"submit good --expiration 9m", 2, "shorter than", "10m"},
		{"submit good --expiration 100y", 2, "longer than", "68 years"},
		{"submit good --expiration soon", 2, `validity "soon"`, "8h"},
		{"submit good --usage clientAuth", 2, `unknown usage "clientAuth"`, "client auth"},
		{"submit good --signer web", 2, `"web" is not the name of a signer`, "example.com/web"},
		{"submit good --signer example.com/x", 2, "nothing says what", "--usage"},
		{"submit good --name ../x", 2, `"../x" is not a name`, "small letters"},
		{"submit good --out x.crt", 2, "--out is for waiting", "--wait"},
		{"submit good --wait --dry-run", 2, "exclude each other", "one of them"},
		{"submit good --wait --out good", 1, `"good" exists`, "--force"},
		{"wait", 2, "requires at least 1 arg", "csr wait --help"},
		{"wait ../../api/v1/namespaces", 2, "is not the name of", "pkictl csr list"},
		{"wait a%2fb", 2, "is not the name of", "pkictl csr list"},
		{"wait .", 2, "is not the name of", "pkictl csr list"},
		{"wait x --for denied", 2, `"denied" cannot be waited for`, "issued or approved"},
		{"wait x --timeout 0s", 2, "not a time to wait", "5m"},
		{"wait x y --out z", 2, "--out is for one certificate", "one at a time"},
		{"wait x --out good", 1, `"good" exists`, "--force"},
		{"wait x --out none/x", 1, "no such file or directory", "make the directory"},
		{"list --state new", 2, `unknown state "new"`, "pending"},
		{"list x", 2, "takes no argument", "csr list --help"},
		{"sign", 2, "requires at least 1 arg", "csr sign --help"},
		{"sign x --dir none", 1, `there is no CA in "none"`, "init-ca"},
		{"sign ../x", 2, "is not the name of", "pkictl csr list"},
		{"sign x --max-validity never", 2, `validity "never"`, "90d"},
	} {
		verb, _, _ := strings.Cut(test.line, " ")
		args := append(in("csr"), strings.Fields(test.line)...)
		if verb != "new" {
			args = append(args, "--kubeconfig", p.kubeconfig)
		}
		got := runProgram(t, program(w.dir, args...))
		checkRefusal(t, test.line, got, test.code, test.says, test.hint)
	}
	checkUnchanged(t, "all", w.dir, before)
	if seen := p.requests(); len(seen) > 0 {
		t.Errorf("it has sent %v", seen)
	}
}

// TestCSRNoCluster: without a kubeconfig, or an API server, it says so.
func TestCSRNoCluster(t *testing.T) {
	t.Parallel()
	w := newUserDir(t)
	w.pkictl("csr new jane")
	config := strings.NewReplacer("URL", "https://127.0.0.1:1").Replace(`{"apiVersion": "v1", "kind": "Config", "current-context": "x",
		"contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}], "users": [{"name": "x"}], "clusters": [{"name": "x", "cluster": {"server": "URL"}}]}`)
	ok(t, os.WriteFile(filepath.Join(w.dir, "down.conf"), []byte(config), 0o600))
	for line, want := range map[string][2]string{
		"csr submit jane.csr":                                  {"there is no kubeconfig", "--kubeconfig"},
		"csr list --kubeconfig none":                           {"cannot read the kubeconfig", ""},
		"csr list --kubeconfig down.conf":                      {"cannot reach the API server https://127.0.0.1:1", "--kubeconfig"},
		"csr wait x --kubeconfig down.conf":                    {"cannot reach the API server https://127.0.0.1:1", "--kubeconfig"},
		"csr submit jane.csr --kubeconfig down.conf":           {"cannot reach the API server https://127.0.0.1:1", "--kubeconfig"},
		"csr list --kubeconfig down.conf --context y":          {`no context "y"`, "get-contexts"},
		"csr list --kubeconfig down.conf --request-timeout 0s": {"not a time to wait", "30s"},
	} {
		got := runProgram(t, program(w.dir, strings.Fields(line)...))
		if got.code == 0 || !strings.Contains(got.stderr, want[0]) || !strings.Contains(got.stderr, want[1]) || strings.Count(got.stderr, "error: ") != 1 {
			t.Errorf("%s: exit code %d\n%s", line, got.code, got.stderr)
		}
	}
}

// TestCSRList reads more than one page, and limits what it lists.
func TestCSRList(t *testing.T) {
	t.Parallel()
	const objects, signer = 520, "example.com/csr-list"
	cluster := sharedCluster(t)
	c, p := client(t, cluster.admin), cluster.newFaultProxy()
	request := requestOf(t, "csr-list")
	inParallel(8, func(i int) {
		for n := i; n < objects; n += 8 {
			o := own(signer)
			o.RequestPEM, o.Name, o.Expiration = request, fmt.Sprintf("csr-list-%03d", n), time.Hour
			if _, _, err := csr.Submit(t.Context(), c, o); err != nil {
				t.Error(err)
			}
		}
	})
	defer func() {
		inParallel(8, func(i int) { // the others list them all
			for n := i; n < objects; n += 8 {
				_ = c.Delete(t.Context(), fmt.Sprintf("%s/csr-list-%03d", kubeclient.CertificateSigningRequests, n), "")
			}
		})
	}()
	w := newUserDir(t)
	var result struct {
		Kind  string
		Items []struct{ Name, State, Signer string }
	}
	listed := func(args string) int {
		t.Helper()
		ok(t, json.Unmarshal([]byte(w.pkictl("csr list -o json --kubeconfig "+p.kubeconfig+" "+args)), &result))
		return len(result.Items)
	}
	if n := listed("--signer " + signer); n != objects || p.count("limit=500") != 2 || p.count("continue=") != 1 {
		t.Errorf("%d objects by %v", n, p.requests())
	}
	p.set(apiFault{path: "continue=", code: http.StatusGone, times: 1})
	if n := listed("--signer " + signer); n != objects || p.count("limit=500") != 2 || len(p.requests()) != 3 {
		t.Errorf("with a page forgotten: %d objects by %v", n, p.requests())
	}
	seen := map[string]bool{}
	for _, item := range result.Items {
		seen[item.Name] = item.Signer == signer && item.State == "pending"
	}
	if len(seen) != objects || result.Kind != "CertificateSigningRequestList" {
		t.Errorf("%d names, kind %s", len(seen), result.Kind)
	}
	object, err := csr.Get(t.Context(), c, "csr-list-007")
	ok(t, err)
	_, err = csr.Approve(t.Context(), c, object, "")
	ok(t, err)
	if n := listed("--signer " + signer + " --state approved"); n != 1 || result.Items[0].Name != "csr-list-007" {
		t.Errorf("%d are approved", n)
	}
	ok(t, c.Patch(t.Context(), kubeclient.CertificateSigningRequests+"/csr-list-007", []byte(`{"metadata":{"labels":null}}`), object))
	if n := listed("--signer " + signer + " --mine"); n != objects-1 {
		t.Errorf("%d are ours", n)
	}
	if out := w.pkictl("csr list --kubeconfig " + cluster.admin + " --state approved --signer " + signer); !strings.HasPrefix(out, "NAME ") ||
		!strings.Contains(out, "CN=csr-list  example.com/csr-list") || !strings.Contains(out, "60m    -        approved") {
		t.Errorf("the table is\n%s", out)
	}
	if out := w.pkictl("csr list --kubeconfig " + cluster.admin + " --signer example.com/csr-list-none"); out != "No certificate signing requests.\n" {
		t.Errorf("of none it says %q", out)
	}
}
