package main_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/watch"
	clientauthentication "k8s.io/client-go/pkg/apis/clientauthentication/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
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

// TestConnectedOverRenewals: with certificates of 3 seconds, a client of
// client-go goes on asking and watching, and kubectl goes on watching.
func TestConnectedOverRenewals(t *testing.T) {
	t.Parallel()
	c := sharedCluster(t)
	const user = "credential-connected"
	const life = 3 * time.Second
	c.asAdmin("create namespace " + user)
	c.asAdmin("create rolebinding connected --clusterrole=cluster-admin --user=" + user + " -n " + user)
	config := c.withCredential("--cn", user, "--via", "ca", "--dir", c.pki, "--for", "3s")

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	kubectl := exec.CommandContext(ctx, c.kubectl, "--kubeconfig", config, "-n", user, "get", "configmaps", "--watch", "-o", "name")
	kubectl.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + c.dir}
	seenByKubectl := &lines{}
	kubectl.Stdout, kubectl.Stderr = seenByKubectl, seenByKubectl
	ok(t, kubectl.Start())

	client := configMaps(t, config)
	seen := make(chan string, 100)
	go watchAll(ctx, client, seen)
	begun := time.Now()
	made := 0
	for ; time.Since(begun) < 3*life || made == 0; made++ {
		name := fmt.Sprintf("step-%d", made)
		object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}}
		if err := client.Post().Resource("configmaps").Namespace(user).Body(object).Do(ctx).Error(); err != nil {
			t.Fatalf("after %s: %v", time.Since(begun), err)
		}
		for got := ""; got != name; {
			select {
			case got = <-seen:
			case <-ctx.Done():
				t.Fatalf("%s was never seen", name)
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
	last := fmt.Sprintf("configmap/step-%d\n", made-1)
	for !strings.Contains(seenByKubectl.String(), last) {
		if ctx.Err() != nil {
			t.Fatalf("kubectl has not seen the last of %d:\n%s", made, seenByKubectl)
		}
		time.Sleep(10 * time.Millisecond)
	}
	if text := seenByKubectl.String(); strings.Contains(text, "rror") {
		t.Errorf("kubectl said\n%s", text)
	}
	ok(t, kubectl.Process.Kill())
	_ = kubectl.Wait()
	if n := c.issuedTo(user); n < 4 || n > 25 {
		t.Errorf("in %s there were %d certificates", time.Since(begun), n)
	}
}

// lines collects the output of a program that still runs.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(data []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(data)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// configMaps is a client of client-go, as a controller has it.
func configMaps(t *testing.T, kubeconfig string) *rest.RESTClient {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	ok(t, err)
	scheme := runtime.NewScheme()
	ok(t, corev1.AddToScheme(scheme))
	config.APIPath, config.GroupVersion = "/api", &corev1.SchemeGroupVersion
	config.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	config.QPS = -1
	// client-go starts the command with the environment of this process.
	config.ExecProvider.Args = append(config.ExecProvider.Args, "--cache", filepath.Join(t.TempDir(), "cache"))
	client, err := rest.RESTClientFor(config)
	ok(t, err)
	return client
}

// watchAll sends the names of what is made until ctx ends. Whenever the
// connection ends it goes on where it was, as a controller does.
func watchAll(ctx context.Context, client *rest.RESTClient, seen chan<- string) {
	version := "0"
	for ctx.Err() == nil {
		request := client.Get().Resource("configmaps").Namespace("credential-connected").Param("watch", "true").Param("resourceVersion", version)
		events, err := request.Watch(ctx)
		if err != nil {
			time.Sleep(10 * time.Millisecond)
			continue
		}
		for event := range events.ResultChan() {
			object, is := event.Object.(*corev1.ConfigMap)
			if !is {
				break
			}
			version = object.ResourceVersion
			if event.Type == watch.Added {
				seen <- object.Name
			}
		}
		events.Stop()
	}
}

// TestCredentialRecipe: what --explain prints gives the same credential.
func TestCredentialRecipe(t *testing.T) {
	t.Parallel()
	c := sharedCluster(t)
	tools, err := filepath.Abs("../../tools/bin")
	ok(t, err)
	for _, args := range []string{
		"--via ca --dir " + c.pki + " --for 1h",
		"--via csr --approve --kubeconfig " + c.admin + " --for 20m",
	} {
		recipe := c.pkictl("credential --cn credential-recipe --group readers --explain " + args)
		printed := c.run("sh", "-e", "-c", "PATH="+tools+":$PATH\n"+recipe)
		answer := answerOf(t, printed)
		if !answer.ExpirationTimestamp.After(time.Now()) {
			t.Errorf("it ends at %s", answer.ExpirationTimestamp)
		}
		cert, key := filepath.Join(c.dir, "answer.crt"), filepath.Join(c.dir, "answer.key")
		ok(t, os.WriteFile(cert, []byte(answer.ClientCertificateData), 0o600))
		ok(t, os.WriteFile(key, []byte(answer.ClientKeyData), 0o600))
		whoami := c.run(c.kubectl, "--server", c.url, "--certificate-authority", filepath.Join(c.pki, "ca.crt"),
			"--client-certificate", cert, "--client-key", key, "auth", "whoami", "-o", "jsonpath={.status.userInfo.username}{.status.userInfo.groups}")
		if whoami != `credential-recipe["readers","system:authenticated"]` {
			t.Errorf("%s: it is %s", args, whoami)
		}
	}
	if _, err := os.Stat(filepath.Join(c.dir, ".cache/pkictl")); err == nil {
		t.Error("the cache was made")
	}
}

// TestCredentialFaults: what cannot be had is refused before anything is
// written.
func TestCredentialFaults(t *testing.T) {
	t.Parallel()
	kubeconfig := "apiVersion: v1\nkind: Config\nclusters: [{name: a, cluster: {server: 'https://127.0.0.1:1'}}]\n" +
		"contexts: [{name: a, context: {cluster: a, user: u}}]\ncurrent-context: a\nusers: [{name: u, user: {token: t}}]\n"
	of := func(more ...string) []string {
		return append([]string{"--cn", "jane", "--kubeconfig", "x.conf"}, more...)
	}
	tests := []struct {
		name       string
		args       []string
		info       string
		code       int
		says, hint string
	}{
		{"no way", of("--via", "ldap"), "", 2, `no way "ldap"`, "csr, ca"},
		{"bad lifetime", of("--for", "soon"), "", 2, `validity "soon"`, "8h"},
		{"too short for a request", of("--for", "5m"), "", 2, "is shorter than the API allows", "10m"},
		{"bad key", of("--key", "dsa"), "", 2, `"dsa"`, "ecdsa-p256"},
		{"bad wait", of("--wait", "0s"), "", 2, "--wait 0s", "15s"},
		{"system:masters by request", of("--group", "system:masters"), "", 4, "system:masters", ""},
		{"bad name", []string{"--cn", "a\u202eb", "--via", "ca"}, "", 2, "cannot be printed", "leave it out"},
		{"slash in the name", []string{"--cn", "/CN=x", "--via", "ca"}, "", 2, "distinguished name", "--cn jane"},
		{"approval by the CA", of("--via", "ca", "--approve"), "", 2, "--approve", "leave"},
		{"passphrase for a request", of("--passphrase-file", "x"), "", 2, "--passphrase-file", "leave"},
		{"YAML", of("-o", "yaml"), "", 2, "in JSON, not in yaml", "-o"},
		{"argument", of("jane"), "", 2, `"jane"`, "--help"},
		{"no name", []string{"--kubeconfig", "x.conf"}, "", 2, "--cn is missing", "--cn"},
		{"no context", of("--context", "b"), "", 2, `no context "b"`, "get-contexts"},
		{"no kubeconfig", []string{"--cn", "jane", "--kubeconfig", "none"}, "", 1, "cannot read the kubeconfig", "--kubeconfig"},
		{"no kubeconfig at all", []string{"--cn", "jane"}, "", 1, "no kubeconfig with a cluster", "--kubeconfig"},
		{"version of the client", of(), strings.Replace(execInfo, "/v1", "/v1beta1", 1), 2, "v1beta1", "apiVersion: client.authentication.k8s.io/v1"},
		{"garbage of the client", of(), "\x1b[31m", 2, "KUBERNETES_EXEC_INFO", "by hand"},
		{"something else of the client", of(), `{"kind":"Pod\u202e","apiVersion":"v1"}`, 2, "KUBERNETES_EXEC_INFO", "by hand"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := newSite(t)
			written("x.conf", kubeconfig)(t, dir)
			before := snapshot(t, dir)
			cmd := program(dir, append([]string{"credential"}, test.args...)...)
			cmd.Env = append(cmd.Env, "KUBERNETES_EXEC_INFO="+test.info)
			checkRefusal(t, "run", runProgram(t, cmd), test.code, test.says, test.hint)
			checkUnchanged(t, "run", dir, before)
		})
	}
}

// TestCredentialWithoutCA: nothing is left but an empty lock.
func TestCredentialWithoutCA(t *testing.T) {
	t.Parallel()
	w := newUserDir(t)
	args := in("--cn", "jane", "--via", "ca", "--cache", "cache")
	checkRefusal(t, "no CA", runProgram(t, credentialProgram(w.dir, args...)), 1, `there is no CA in "pki"`, "pkictl init-ca")
	w.pkictl("init-ca")
	first := runProgram(t, credentialProgram(w.dir, args...))
	again := runProgram(t, credentialProgram(w.dir, args...))
	if first.code != 0 || first != again {
		t.Errorf("%+v\n%+v", first, again)
	}
	// Another CA takes its place: what the first has signed is not handed out.
	ok(t, os.RemoveAll(filepath.Join(w.dir, "pki")))
	w.pkictl("init-ca")
	other := runProgram(t, credentialProgram(w.dir, args...))
	if serialOf(t, other.stdout) == serialOf(t, first.stdout) {
		t.Error("it hands out what another CA has signed")
	}
	// Without the CA the cache goes on.
	ok(t, os.RemoveAll(filepath.Join(w.dir, "pki")))
	if got := runProgram(t, credentialProgram(w.dir, args...)); got != other {
		t.Errorf("%+v", got)
	}
}

// TestCredentialPassesItsEnd: the clock goes past the end of a certificate.
func TestCredentialPassesItsEnd(t *testing.T) {
	t.Parallel()
	w := newUserDir(t)
	w.pkictl("init-ca")
	args := in("--cn", "jane", "--via", "ca", "--cache", "cache")
	first := serialOf(t, runProgram(t, credentialProgram(w.dir, args...)).stdout)
	// A certificate that has ended takes its place.
	w.pkictl("issue --cn jane --validity 1s --out ended")
	put := func() {
		entries, err := filepath.Glob(filepath.Join(w.dir, "cache", "*.json"))
		if err != nil || len(entries) != 1 {
			t.Fatal(entries, err)
		}
		var entry map[string]any
		data, err := os.ReadFile(entries[0])
		ok(t, err)
		ok(t, json.Unmarshal(data, &entry))
		entry["certificate"], entry["key"] = w.run("cat", "ended.crt"), w.run("cat", "ended.key")
		data, err = json.Marshal(entry)
		ok(t, err)
		ok(t, os.WriteFile(entries[0], data, 0o600))
	}
	put()
	pair, err := tls.LoadX509KeyPair(filepath.Join(w.dir, "ended.crt"), filepath.Join(w.dir, "ended.key"))
	ok(t, err)
	for end := pair.Leaf.NotAfter; !time.Now().After(end); {
		time.Sleep(time.Until(end) + time.Millisecond)
	}
	if second := runProgram(t, credentialProgram(w.dir, args...)); serialOf(t, second.stdout) == first || second.stderr != "" {
		t.Errorf("after its end: %+v", second)
	}
	put()
	ok(t, os.Remove(filepath.Join(w.dir, "pki/ca.key")))
	checkRefusal(t, "no key", runProgram(t, credentialProgram(w.dir, args...)), 1, "has no key", "restore ca.key")
}

// TestCredentialsInTheInventory: they are listed and can be revoked, but nobody
// is told to renew them.
func TestCredentialsInTheInventory(t *testing.T) {
	t.Parallel()
	w := newUserDir(t)
	w.pkictl("init-ca")
	w.pkictl("credential --cn jane --group dev --via ca")
	if got := w.pkictl("list --cn jane"); !strings.Contains(got, "valid") {
		t.Errorf("the list\n%s", got)
	}
	if got := w.pkictl("list --expiring 2h"); !strings.HasPrefix(got, "No certificates") {
		t.Errorf("it warns of\n%s", got)
	}
	w.pkictl("list -q --prometheus pki.prom")
	metrics, err := os.ReadFile(filepath.Join(w.dir, "pki.prom"))
	if err != nil || strings.Contains(string(metrics), `cn="jane"`) {
		t.Errorf("%v\n%s", err, metrics)
	}
	if stdout, stderr, err := w.try(pkictl(), "renew", "--all"); err != nil || stdout+stderr != "Nothing was renewed.\n" {
		t.Errorf("%v %s%s", err, stdout, stderr)
	}
	w.pkictl("revoke jane --yes")
	if got := w.pkictl("list --state revoked"); !strings.Contains(got, "jane") {
		t.Errorf("revoked\n%s", got)
	}
}

// TestCredentialInterrupted: Ctrl-C ends the wait for an approval, and the next
// run goes on with the same request.
func TestCredentialInterrupted(t *testing.T) {
	t.Parallel()
	c := sharedCluster(t)
	const user = "credential-interrupted"
	args := []string{"--cn", user, "--kubeconfig", c.admin, "--wait", "1m"}
	cmd := credentialProgram(c.dir, args...)
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	ok(t, cmd.Start())
	for len(c.requestsOf(user)) == 0 {
		if t.Context().Err() != nil {
			t.Fatal(stderr.String())
		}
	}
	ok(t, cmd.Process.Signal(os.Interrupt))
	_ = cmd.Wait() // how it ended says the code
	checkRefusal(t, "interrupted", outcome{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}, 1, "interrupted", "run it again")
	if got := c.credential(append(args, "--approve")...); got.code != 0 {
		t.Errorf("%+v", got)
	}
	if requests := c.requestsOf(user); len(requests) != 1 {
		t.Errorf("requests %v", requests)
	}
}
