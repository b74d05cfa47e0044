package main_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pkictl/pkictl/kubeconfig"
)

// checked is the part of the result of kubeconfig check that tests read.
type checked struct {
	OK       bool
	Contexts []kubeconfig.CheckedContext
	Findings []kubeconfig.Finding
}

// check runs kubeconfig check and returns what it found, and its exit code.
func (w userDir) check(args ...string) (checked, int) {
	w.t.Helper()
	got := runProgram(w.t, program(w.dir, append([]string{"kubeconfig", "check", "-o", "json"}, args...)...))
	var result checked
	if err := json.Unmarshal([]byte(got.stdout), &result); err != nil {
		w.t.Fatalf("%v\n%s%s", err, got.stdout, got.stderr)
	}
	return result, got.code
}

// expect checks that there is one finding that counts, and what it says.
func (r checked) expect(t *testing.T, check, says string, contexts ...string) {
	t.Helper()
	var failed []kubeconfig.Finding
	for _, f := range r.Findings {
		if f.Level == kubeconfig.LevelFail {
			failed = append(failed, f)
		}
	}
	if len(failed) != 1 || failed[0].Check != check || !strings.Contains(failed[0].Message, says) || failed[0].Hint == "" {
		t.Errorf("want %s: %q, have %+v", check, says, failed)
		return
	}
	if contexts != nil && fmt.Sprint(failed[0].Contexts) != fmt.Sprint(contexts) {
		t.Errorf("it concerns %v, want %v", failed[0].Contexts, contexts)
	}
}

// edit replaces text in a kubeconfig, in a copy.
func (w userDir) edit(from, to string, pairs ...string) {
	w.t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		w.t.Fatal(err)
	}
	edited := strings.NewReplacer(pairs...).Replace(string(data))
	if edited == string(data) {
		w.t.Fatalf("nothing of %q is in %s", pairs, from)
	}
	w.write(to, edited)
}

func (w userDir) write(name, data string) {
	w.t.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, name), []byte(data), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// TestKubeconfigCheckOnRealCluster checks kubeconfigs of a real API server,
// good ones and bad.
func TestKubeconfigCheckOnRealCluster(t *testing.T) {
	t.Parallel()
	c := sharedCluster(t)

	t.Run("administrator", func(t *testing.T) {
		result, code := userDir{t, c.dir}.check(c.admin)
		if code != 0 || !result.OK || len(result.Findings) > 0 || len(result.Contexts) != 1 {
			t.Fatalf("exit code %d, %+v", code, result)
		}
		got := result.Contexts[0]
		if got.Identity == nil || got.Identity.User != "kube-admin" || !strings.Contains(fmt.Sprint(got.Identity.Groups), "system:masters") || got.ServerEnds == nil {
			t.Errorf("%+v", got)
		}
		if out := c.as(c.admin, "auth whoami -o jsonpath={.status.userInfo.username}"); out != got.Identity.User {
			t.Errorf("kubectl says %q", out)
		}
	})

	t.Run("certificate of another CA", func(t *testing.T) {
		w := newUserDir(t)
		w.pkictl("init-ca --cn another-ca")
		w.pkictl("issue --cn kc-stranger")
		w.pkictl("kubeconfig create --cert pki/kc-stranger.crt --key pki/kc-stranger.key --out stranger.conf --kubeconfig " + c.admin)
		result, code := w.check("stranger.conf")
		result.expect(t, "login", "401 Unauthorized", "kc-stranger@kubernetes")
		if code != 3 || result.Contexts[0].Identity != nil {
			t.Errorf("exit code %d, %+v", code, result.Contexts)
		}
		// The server is the one of another CA, and gets nothing.
		w.pkictl("kubeconfig create kc-stranger --server " + c.url)
		result, _ = w.check("kc-stranger.conf")
		result.expect(t, "server certificate", "is not by the CA of the kubeconfig")
	})

	t.Run("token", func(t *testing.T) {
		w := userDir{t, c.dir}
		c.asAdmin("create serviceaccount kc-token -n default")
		token := c.asAdmin("create token kc-token -n default --duration 1h")
		config := tokenConfig(t, c.admin, token)
		w.write("token.conf", config)
		result, code := w.check("token.conf", "--within", "30m")
		if code != 0 || result.Contexts[0].Ends == nil || result.Contexts[0].Identity.User != "system:serviceaccount:default:kc-token" {
			t.Errorf("exit code %d, %+v", code, result)
		}
		result, _ = w.check("token.conf", "--within", "2h")
		result.expect(t, "credential", "the token ends in ")
		got := runProgram(t, program(w.dir, "kubeconfig", "check", "token.conf"))
		if strings.Contains(got.stdout+got.stderr, token[:20]) {
			t.Error("the token is shown")
		}
		// A token that the API server does not know.
		w.write("bad-token.conf", tokenConfig(t, c.admin, "nobody-knows-this"))
		result, code = w.check("bad-token.conf")
		result.expect(t, "login", "401 Unauthorized")
		if code != 3 {
			t.Errorf("exit code %d", code)
		}
	})

	t.Run("names and ways to the server", func(t *testing.T) {
		w := userDir{t, c.dir}
		w.edit(c.admin, "name.conf", "server: ", "tls-server-name: kubernetes.default.svc\n    server: ")
		if result, code := w.check("name.conf"); code != 0 {
			t.Errorf("%d %+v", code, result)
		}
		w.edit(c.admin, "other-name.conf", "server: ", "tls-server-name: other.example.com\n    server: ")
		result, _ := w.check("other-name.conf")
		result.expect(t, "server certificate", "wanted other.example.com; found a certificate for")
		w.edit(c.admin, "http.conf", "https://", "http://")
		result, _ = w.check("http.conf")
		result.expect(t, "server", "is not https")
		down := fmt.Sprintf("127.0.0.1:%d", freePort(t))
		w.edit(c.admin, "down.conf", strings.TrimPrefix(c.url, "https://"), down)
		result, _ = w.check("down.conf")
		result.expect(t, "server", "cannot reach https://"+down+": connect: connection refused")
		w.edit(c.admin, "insecure.conf", "server: ", "insecure-skip-tls-verify: true\n    server: ", "certificate-authority-data", "x-data")
		result, _ = w.check("insecure.conf")
		result.expect(t, "server", "insecure-skip-tls-verify")
		if result.Contexts[0].Identity != nil {
			t.Error("a server that is not verified got the credential")
		}
	})

	t.Run("CA that was replaced", func(t *testing.T) {
		w := userDir{t, c.dir}
		w.pkictl("init-ca --dir old --cn old-ca")
		old, err := os.ReadFile(filepath.Join(w.dir, "old", "ca.crt"))
		if err != nil {
			t.Fatal(err)
		}
		present, err := os.ReadFile(filepath.Join(c.pki, "ca.crt"))
		if err != nil {
			t.Fatal(err)
		}
		w.pkictl("issue --dir " + c.pki + " --cn kc-both --group system:masters --out both")
		w.write("trust.crt", string(present)+string(old))
		w.pkictl("kubeconfig create --cert both.crt --key both.key --ca trust.crt --out both.conf --server " + c.url)
		result, code := w.check("both.conf")
		if code != 0 || len(result.Findings) != 1 || result.Findings[0].Check != "drift" || result.Findings[0].Level != kubeconfig.LevelNote {
			t.Errorf("exit code %d, %+v", code, result.Findings)
		}
	})
}

// TestKubeconfigCheckDrift has the cluster hand out other CAs than the
// kubeconfig has, in the way of kubeadm.
func TestKubeconfigCheckDrift(t *testing.T) {
	t.Parallel()
	c := sharedCluster(t)
	p := c.newFaultProxy(apiFault{path: "kube-root-ca.crt", code: 403})
	c.pkictl("init-ca --cn next-ca")
	next, present := c.run("cat", "pki/ca.crt"), c.run("cat", filepath.Join(c.pki, "ca.crt"))
	for _, test := range []struct{ handed, says string }{
		{present, ""},
		{present + next, "the cluster hands out a CA that the kubeconfig lacks: CN=next-ca, SHA-256 "},
		{next, "the cluster hands out another CA than the kubeconfig has: CN=next-ca, SHA-256 "},
	} {
		c.write("info.yaml", fmt.Sprintf(`{apiVersion: v1, kind: ConfigMap, metadata: {name: cluster-info, namespace: kube-public}, data: {kubeconfig: %q}}`,
			fmt.Sprintf(`{apiVersion: v1, kind: Config, clusters: [{name: "", cluster: {server: %q, certificate-authority-data: %q}}]}`, c.url, encode([]byte(test.handed)))))
		c.asAdmin("apply -f " + filepath.Join(c.dir, "info.yaml"))
		result, code := c.check(p.kubeconfig)
		if test.says == "" {
			if code != 0 || len(result.Findings) > 0 {
				t.Errorf("exit code %d, %+v", code, result)
			}
			continue
		}
		result.expect(t, "drift", test.says, "kube-admin@kubernetes")
	}
	c.asAdmin("delete configmap cluster-info -n kube-public")
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// tokenConfig is a kubeconfig like that of the administrator, for a token.
func tokenConfig(t *testing.T, admin, token string) string {
	t.Helper()
	config, err := kubeconfig.Load(admin)
	if err != nil {
		t.Fatal(err)
	}
	cluster := config.Clusters["kubernetes"]
	return fmt.Sprintf(`{"apiVersion":"v1","kind":"Config","current-context":"c",
"clusters":[{"name":"k","cluster":{"server":%q,"certificate-authority-data":%q}}],
"users":[{"name":"u","user":{"token":%q}}],
"contexts":[{"name":"c","context":{"cluster":"k","user":"u"}}]}`, cluster.Server, encode(cluster.CertificateAuthorityData), token)
}

func encode(data []byte) string {
	text, _ := json.Marshal(data)
	return strings.Trim(string(text), `"`)
}

// TestKubeconfigCheckThroughFaults has the API server answer slowly or not.
func TestKubeconfigCheckThroughFaults(t *testing.T) {
	t.Parallel()
	c := sharedCluster(t)
	for _, test := range []struct {
		name        string
		fault       apiFault
		check, says string
	}{
		{"slow", apiFault{path: "selfsubjectreviews", delay: time.Minute}, "login", "gave no answer within 1s"},
		{"401", apiFault{path: "selfsubjectreviews", code: 401}, "login", "401 Unauthorized"},
		{"500", apiFault{path: "selfsubjectreviews", code: 500}, "login", "the API server failed"},
		{"cut", apiFault{path: "selfsubjectreviews", cut: true}, "login", "cannot call the API server"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := c
			c.userDir = newUserDir(t)
			p := c.newFaultProxy(test.fault)
			result, code := c.check(p.kubeconfig, "--request-timeout", "1s")
			result.expect(t, test.check, test.says)
			if code != 3 {
				t.Errorf("exit code %d", code)
			}
		})
	}
	t.Run("what it may not read is no finding", func(t *testing.T) {
		t.Parallel()
		c := c
		c.userDir = newUserDir(t)
		p := c.newFaultProxy(apiFault{path: "configmaps", code: 403})
		if result, code := c.check(p.kubeconfig); code != 0 || len(result.Findings) > 0 {
			t.Errorf("exit code %d, %+v", code, result)
		}
	})
}

// TestKubeconfigCheckManyContexts checks 500 contexts over three servers, of
// which one is down: the other two are dialled once to look, and once to ask.
func TestKubeconfigCheckManyContexts(t *testing.T) {
	t.Parallel()
	c := sharedCluster(t)
	config, err := kubeconfig.Load(c.admin)
	if err != nil {
		t.Fatal(err)
	}
	one, two := c.newWire(), c.newWire()
	servers := []string{one.url, two.url, fmt.Sprintf("https://127.0.0.1:%d", freePort(t))}
	user, cluster := config.AuthInfos["kube-admin"], config.Clusters["kubernetes"]
	var b strings.Builder
	b.WriteString("apiVersion: v1\nkind: Config\ncurrent-context: context-000\nclusters:\n")
	for i := range 500 {
		fmt.Fprintf(&b, "- name: cluster-%03d\n  cluster: {server: %q, certificate-authority-data: %q}\n", i, servers[i%3], encode(cluster.CertificateAuthorityData))
	}
	b.WriteString("users:\n")
	for i := range 500 {
		fmt.Fprintf(&b, "- name: user-%03d\n  user: {client-certificate-data: %q, client-key-data: %q}\n", i, encode(user.ClientCertificateData), encode(user.ClientKeyData))
	}
	b.WriteString("contexts:\n")
	for i := range 500 {
		fmt.Fprintf(&b, "- name: context-%03d\n  context: {cluster: cluster-%03d, user: user-%03d}\n", i, i, i)
	}
	c.write("many.conf", b.String())
	result, code := c.check("many.conf")
	result.expect(t, "server", "cannot reach "+servers[2])
	if len(result.Findings) != 1 || len(result.Findings[0].Contexts) != 166 || len(result.Contexts) != 500 || code != 3 {
		t.Errorf("exit code %d, %d findings, %d contexts", code, len(result.Findings), len(result.Contexts))
	}
	for i, checked := range result.Contexts {
		if down := i%3 == 2; checked.OK == down || (checked.Identity != nil) == down {
			t.Errorf("%+v", checked)
		}
	}
	for _, w := range []*wire{one, two} {
		if n := w.dialled.Load(); n != 2 {
			t.Errorf("%s was dialled %d times", w.url, n)
		}
	}
}

// wire is a TCP connection to the API server that counts how often it is made.
type wire struct {
	url     string
	dialled atomic.Int64
}

func (c realCluster) newWire() *wire {
	c.t.Helper()
	target, err := url.Parse(c.url)
	if err != nil {
		c.t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { _ = l.Close() })
	w := &wire{url: "https://" + l.Addr().String()}
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			w.dialled.Add(1)
			go join(client, target.Host)
		}
	}()
	return w
}

func join(client net.Conn, address string) {
	defer client.Close()
	server, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	defer server.Close()
	go func() { _, _ = io.Copy(server, client) }()
	_, _ = io.Copy(client, server)
}
