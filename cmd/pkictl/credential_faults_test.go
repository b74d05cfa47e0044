package main_test

import (
	"crypto/tls"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

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
