package main_test

import (
	"crypto/tls"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	clientauthentication "k8s.io/client-go/pkg/apis/clientauthentication/v1"
)

const execInfo = `{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","spec":{"interactive":false}}`

// withCredential writes a kubeconfig whose user runs pkictl credential with
// those arguments, and returns its path.
func (c realCluster) withCredential(args ...string) string {
	c.t.Helper()
	path := filepath.Join(c.dir, "exec.conf")
	set := func(line ...string) { c.run(c.kubectl, append([]string{"config", "--kubeconfig", path}, line...)...) }
	set("set-cluster", "real", "--server", c.url, "--certificate-authority", filepath.Join(c.pki, "ca.crt"), "--embed-certs")
	exec := []string{"set-credentials", "me", "--exec-api-version", "client.authentication.k8s.io/v1", "--exec-interactive-mode", "IfAvailable",
		"--exec-command", pkictl(), "--exec-arg", "credential"}
	for _, arg := range args {
		exec = append(exec, "--exec-arg", arg)
	}
	set(exec...)
	set("set-context", "me", "--cluster", "real", "--user", "me")
	set("use-context", "me")
	return path
}

// answerOf reads what the command printed.
func answerOf(t *testing.T, printed string) *clientauthentication.ExecCredentialStatus {
	t.Helper()
	var answer clientauthentication.ExecCredential
	decoder := json.NewDecoder(strings.NewReader(printed))
	if err := decoder.Decode(&answer); err != nil || decoder.More() || answer.Status == nil ||
		answer.APIVersion != "client.authentication.k8s.io/v1" || answer.Kind != "ExecCredential" {
		t.Fatalf("%v: it printed %q", err, printed)
	}
	if _, err := tls.X509KeyPair([]byte(answer.Status.ClientCertificateData), []byte(answer.Status.ClientKeyData)); err != nil {
		t.Fatal(err)
	}
	return answer.Status
}

// serialOf tells credentials apart.
func serialOf(t *testing.T, printed string) string {
	t.Helper()
	answer := answerOf(t, printed)
	pair, err := tls.X509KeyPair([]byte(answer.ClientCertificateData), []byte(answer.ClientKeyData))
	ok(t, err)
	return pair.Leaf.SerialNumber.String()
}

// credentials runs pkictl credential with KUBERNETES_EXEC_INFO as client-go has
// it.
func (c realCluster) credential(args ...string) outcome {
	c.t.Helper()
	return runProgram(c.t, credentialProgram(c.dir, args...))
}

func credentialProgram(dir string, args ...string) *exec.Cmd {
	cmd := program(dir, append([]string{"credential"}, args...)...)
	cmd.Env = append(cmd.Env, "KUBERNETES_EXEC_INFO="+execInfo)
	return cmd
}

// issuedTo counts what the inventory has of a user.
func (c realCluster) issuedTo(name string) int {
	c.t.Helper()
	return strings.Count(c.pkictl("list --dir "+c.pki+" --cn "+name+" -o json"), `"serial":`)
}

// requestsOf lists the certificate signing requests that begin with a user's
// name, as NAME REQUESTOR.
func (c realCluster) requestsOf(user string) []string {
	c.t.Helper()
	var found []string
	for _, line := range strings.Fields(c.asAdmin(`get csr -o jsonpath={range.items[*]}{.metadata.name}={.spec.username}{"\n"}{end}`)) {
		if name, requestor, _ := strings.Cut(line, "="); strings.HasPrefix(name, user+"-") {
			found = append(found, name+" "+requestor)
		}
	}
	return found
}

// mayRequest lets a user ask for client certificates, and approve them.
func (c realCluster) mayRequest(user string) {
	c.t.Helper()
	c.asAdmin("create clusterrolebinding " + user + " --clusterrole=cluster-admin --user=" + user)
}

// TestCredentialOnRealAPIServer: kubectl logs in with what the command hands
// out, by either way.
func TestCredentialOnRealAPIServer(t *testing.T) {
	t.Parallel()
	c := sharedCluster(t)
	for via, args := range map[string][]string{
		"ca":  {"--via", "ca", "--dir", c.pki},
		"csr": {"--via", "csr", "--kubeconfig", c.admin, "--approve"},
	} {
		t.Run(via, func(t *testing.T) {
			t.Parallel()
			c := sharedCluster(t)
			user := "credential-real-" + via
			config := c.withCredential(append(args, "--cn", user, "--group", "readers", "--group", "writers")...)
			whoami := c.as(config, `auth whoami -o jsonpath={.status.userInfo.username}:{.status.userInfo.groups}`)
			if whoami != user+`:["readers","writers","system:authenticated"]` {
				t.Errorf("it is %s", whoami)
			}
			_, stderr, err := c.try(c.kubectl, "--kubeconfig", config, "auth", "whoami")
			if err != nil || stderr != "" {
				t.Errorf("%v: %s", err, stderr)
			}
		})
	}
}

// TestCredentialIsMintedOnce: of 20 kubectl at once one has it made.
func TestCredentialIsMintedOnce(t *testing.T) {
	t.Parallel()
	c := sharedCluster(t)
	for via, args := range map[string][]string{
		"ca":  {"--via", "ca", "--dir", c.pki},
		"csr": {"--via", "csr", "--kubeconfig", c.admin, "--approve", "--wait", "1m"},
	} {
		t.Run(via, func(t *testing.T) {
			t.Parallel()
			c := sharedCluster(t)
			user := "credential-once-" + via
			config := c.withCredential(append(args, "--cn", user)...)
			var wait sync.WaitGroup
			for range 20 {
				wait.Go(func() {
					stdout, stderr, err := c.try(c.kubectl, "--kubeconfig", config, "auth", "whoami", "-o", "jsonpath={.status.userInfo.username}")
					if err != nil || stdout != user || stderr != "" {
						t.Errorf("%v: %s%s", err, stdout, stderr)
					}
				})
			}
			wait.Wait()
			count := len(c.requestsOf(user))
			if via == "ca" {
				count = c.issuedTo(user)
			}
			if count != 1 {
				t.Errorf("%d were made", count)
			}
		})
	}
}

// TestCredentialRenewsItself: by request, the next certificate is asked for with
// the present one, and the kubeconfig may be the one that runs the command.
func TestCredentialRenewsItself(t *testing.T) {
	t.Parallel()
	c := sharedCluster(t)
	const user = "credential-itself"
	c.mayRequest(user)
	args := []string{"--cn", user, "--approve", "--kubeconfig"}
	itself := filepath.Join(c.dir, "exec.conf")
	c.withCredential(append(args, itself)...)

	_, stderr, err := c.try(c.kubectl, "--kubeconfig", itself, "auth", "whoami")
	if err == nil || !strings.Contains(stderr, "from this very command") || !strings.Contains(stderr, "hint: name with --kubeconfig one whose user logs in") ||
		strings.Count(stderr, "hint: ") > 2 {
		t.Errorf("without another credential: %v\n%s", err, stderr)
	}
	t.Log(stderr)
	first := c.credential(append(args, c.admin)...)
	second := c.credential(append(args, itself, "--renew")...)
	if first.code+second.code != 0 || serialOf(t, first.stdout) == serialOf(t, second.stdout) {
		t.Fatalf("%+v\n%+v", first, second)
	}
	var requestors []string
	for _, request := range c.requestsOf(user) {
		_, requestor, _ := strings.Cut(request, " ")
		requestors = append(requestors, requestor)
	}
	slices.Sort(requestors)
	if !slices.Equal(requestors, []string{user, "kube-admin"}) {
		t.Errorf("it was asked for by %v", requestors)
	}
	if got := c.as(itself, "auth whoami -o jsonpath={.status.userInfo.username}"); got != user {
		t.Errorf("it is %s", got)
	}

	// Once it may no more, the kubeconfig's own credential is taken.
	c.asAdmin("delete clusterrolebinding " + user)
	if got := c.credential(append(args, c.admin, "--renew")...); got.code != 0 {
		t.Errorf("%+v", got)
	}
	got := c.credential(append(args, itself, "--renew")...)
	checkRefusal(t, "without the right", got, 4, "forbidden", "grant it")
}

// TestCredentialTakesItsName: without --cn it is for the kubeconfig's user.
func TestCredentialTakesItsName(t *testing.T) {
	t.Parallel()
	c := sharedCluster(t)
	c.pkictl("issue --dir " + c.pki + " --cn credential-name --group readers --out here --kubeconfig here.conf --server " + c.url)
	c.mayRequest("credential-name")
	for _, via := range [][]string{{"--via", "ca", "--dir", c.pki}, {"--approve"}} {
		config := c.withCredential(append(via, "--kubeconfig", filepath.Join(c.dir, "here.conf"))...)
		if got := c.as(config, `auth whoami -o jsonpath={.status.userInfo.username}{.status.userInfo.groups}`); got != `credential-name["readers","system:authenticated"]` {
			t.Errorf("%v: it is %s", via, got)
		}
	}
	checkRefusal(t, "no certificate", c.credential("--kubeconfig", c.withCredential("--via", "ca")), 2, "--cn is missing", "--cn")
}

// TestCredentialWaitsForApproval: nobody approves it, then somebody does. All
// the time it is one request, and nobody hangs.
func TestCredentialWaitsForApproval(t *testing.T) {
	t.Parallel()
	c := sharedCluster(t)
	const user = "credential-waits"
	args := []string{"--cn", user, "--kubeconfig", c.admin, "--wait", "1s"}
	for range 2 {
		got := c.credential(args...)
		checkRefusal(t, "pending", got, 1, `waits for its approval`, "kubectl certificate approve "+user+"-")
	}
	requests := c.requestsOf(user)
	if len(requests) != 1 {
		t.Fatalf("requests %v", requests)
	}
	name, _, _ := strings.Cut(requests[0], " ")
	c.asAdmin("certificate approve " + name)
	first := c.credential(append(args[:4:4], "--wait", "30s")...)
	if first.code != 0 || first.stderr != "" {
		t.Fatalf("%+v", first)
	}
	if again := c.credential(args...); serialOf(t, first.stdout) != serialOf(t, again.stdout) {
		t.Error("asked again it is another")
	}
	// The old one holds while the next request waits.
	c.due(t)
	late := c.credential(args...)
	if serialOf(t, late.stdout) != serialOf(t, first.stdout) || strings.Count(late.stderr, "\n") != 1 ||
		!strings.Contains(late.stderr, "warning: the credential of") || !strings.Contains(late.stderr, "waits for its approval; have it approved with: kubectl") {
		t.Errorf("%+v", late)
	}
	if at := answerOf(t, late.stdout).ExpirationTimestamp.Time; !at.After(time.Now()) || at.After(time.Now().Add(2*time.Minute)) {
		t.Errorf("client-go asks again at %s", at)
	}
	if soon := c.credential(args...); soon.stderr != "" || soon.stdout != late.stdout {
		t.Errorf("asked again at once: %+v", soon)
	}
	if requests = c.requestsOf(user); len(requests) != 2 {
		t.Errorf("requests %v", requests)
	}
}

// due has the credential in the cache of the test be renewed.
func (c realCluster) due(t *testing.T) {
	t.Helper()
	c.inCache(t, func(cached map[string]any) { cached["renewAt"] = time.Now().Add(-time.Second).Format(time.RFC3339) })
}

// inCache changes the only credential in the cache of the test.
func (c realCluster) inCache(t *testing.T, change func(map[string]any)) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(c.dir, ".cache/pkictl/credentials/*.json"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	data, err := os.ReadFile(files[0])
	ok(t, err)
	var cached map[string]any
	ok(t, json.Unmarshal(data, &cached))
	change(cached)
	data, err = json.Marshal(cached)
	ok(t, err)
	ok(t, os.WriteFile(files[0], data, 0o600))
}

// TestCredentialDenied: who is denied is told so each time, by one request.
func TestCredentialDenied(t *testing.T) {
	t.Parallel()
	c := sharedCluster(t)
	const user = "credential-denied"
	args := []string{"--cn", user, "--kubeconfig", c.admin, "--wait", "1s"}
	c.credential(args...)
	name, _, _ := strings.Cut(c.requestsOf(user)[0], " ")
	c.asAdmin("certificate deny " + name)
	for range 2 {
		checkRefusal(t, "denied", c.credential(args...), 4, "was denied", "kubectl delete csr "+name)
	}
	c.asAdmin("delete csr " + name)
	if got := c.credential(append(args, "--approve", "--wait", "30s")...); got.code != 0 {
		t.Errorf("%+v", got)
	}
}

// TestCredentialWithoutAPIServer: what the cache holds needs none.
func TestCredentialWithoutAPIServer(t *testing.T) {
	t.Parallel()
	c := sharedCluster(t)
	proxy := c.newFaultProxy()
	args := []string{"--cn", "credential-down", "--approve", "--kubeconfig", proxy.kubeconfig}
	first := c.credential(args...)
	proxy.set(apiFault{cut: true})
	again := c.credential(args...)
	if first.code != 0 || again != first || len(proxy.requests()) > 0 {
		t.Errorf("%+v\n%+v\n%v", first, again, proxy.requests())
	}
	c.due(t)
	late := c.credential(args...)
	if late.code != 0 || serialOf(t, late.stdout) != serialOf(t, first.stdout) || !strings.Contains(late.stderr, "is not renewed yet, and holds until") {
		t.Errorf("%+v", late)
	}
	if soon := c.credential(args...); soon.stderr != "" {
		t.Errorf("%+v", soon)
	}
	proxy.set(apiFault{delay: time.Minute})
	c.due(t)
	c.inCache(t, func(cached map[string]any) { delete(cached, "retryAt") })
	begun := time.Now()
	slow := c.credential(append(args, "--wait", "1s")...)
	if slow.code != 0 || !strings.Contains(slow.stderr, "did not answer in time") {
		t.Errorf("%+v after %s", slow, time.Since(begun))
	}
	ok(t, os.RemoveAll(filepath.Join(c.dir, ".cache")))
	checkRefusal(t, "slow and nothing in the cache", c.credential(append(args, "--wait", "1s")...), 1, "did not answer in time", "--wait")
	proxy.set(apiFault{cut: true})
	got := c.credential(append(args, "--wait", "5s")...)
	if got.code != 1 || got.stdout != "" || !strings.Contains(got.stderr, "error: cannot ") {
		t.Errorf("%+v", got)
	}
}

// TestCredentialByEncryptedCA: the passphrase comes from a file or a variable;
// nobody is asked where client-go says that there is nobody.
func TestCredentialByEncryptedCA(t *testing.T) {
	t.Parallel()
	w := newUserDir(t)
	ok(t, os.WriteFile(filepath.Join(w.dir, "pass"), []byte(keyPassphrase+"\n"), 0o600))
	w.pkictl("init-ca --passphrase-file pass")
	checkRefusal(t, "no passphrase", runProgram(t, credentialProgram(w.dir, "--cn", "jane", "--via", "ca")), 1,
		`key "pki/ca.key" is encrypted`, "--passphrase-file")
	got := runProgram(t, credentialProgram(w.dir, "--cn", "jane", "--via", "ca", "--passphrase-file", "pass"))
	if got.code != 0 || got.stderr != "" {
		t.Errorf("%+v", got)
	}
	// It is in the cache now, so that nobody needs the passphrase.
	if again := runProgram(t, credentialProgram(w.dir, "--cn", "jane", "--via", "ca")); again != got {
		t.Errorf("%+v", again)
	}
	cmd := credentialProgram(w.dir, "--cn", "joe", "--via", "ca")
	cmd.Env = append(cmd.Env, "PKICTL_PASSPHRASE="+keyPassphrase)
	if got := runProgram(t, cmd); got.code != 0 {
		t.Errorf("%+v", got)
	}
}
