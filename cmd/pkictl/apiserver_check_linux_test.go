package main_test

import (
	"crypto/tls"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pkictl/pkictl/cluster"
)

// TestAPIServerCheckKubeadm: what kubeadm leaves out is found; what is certain is
// mended, and what needs thought when it is named; and kube-apiserver comes back
// both times, as the new flags say.
func TestAPIServerCheckKubeadm(t *testing.T) {
	t.Parallel()
	n := newKubeadmNode(t)
	// kube-bench counts 1.2.1, 1.2.27 to 1.2.29 and 3.2 as manual.
	const certain, thought = "1.2.15 1.2.16 1.2.17 1.2.18 1.2.19 1.2.29 3.2.1 3.2.2", "1.2.1 1.2.5 1.2.27 1.2.28 1.2.30"
	others := "1.3.2" // no matter of kube-apiserver
	r := n.apiserverCheck(n.manifests)
	if got, want := sortedWords(r.with("fail", "")), sortedWords(certain+" "+thought+" "+others); got != want {
		t.Errorf("failed have %s, want %s", got, want)
	}
	if got := r.with("unknown", ""); got != "" {
		t.Errorf("unknown are %s", got)
	}

	k := n.startKubelet()
	n.awaitHealthy(k)
	log := filepath.Join(n.dir, "audit", "audit.log")
	places := in("--yes", "--wait", "--pod-logs", k.logs, "--config-dir", filepath.Join(n.dir, "apiserver"), "--audit-log-path", log)
	k.started()
	r = n.apiserverCheck(append(in(n.manifests, "--fix"), places...)...)
	if got, want := sortedWords(r.with("fail", "")), sortedWords(thought+" "+others); got != want {
		t.Errorf("failed have %s after --fix, want %s", got, want)
	}
	n.awaitStarted(k)
	n.asAdmin("create namespace seen")
	data, err := os.ReadFile(log)
	ok(t, err)
	if !strings.Contains(string(data), `"requestURI":"/api/v1/namespaces?fieldManager=kubectl-create`) {
		t.Errorf("the audit log has no trace of the namespace: %.2000s", data)
	}
	if got := n.anonymousStatus("/api"); got != http.StatusForbidden {
		t.Errorf("/api is answered with %d", got)
	}

	r = n.apiserverCheck(append(in(n.manifests, "--fix=1.2.1,1.2.5,1.2.27,1.2.30"), places...)...)
	if got := r.with("fail", ""); got != others {
		t.Errorf("failed have %s after --fix with their IDs", got)
	}
	n.awaitStarted(k)
	n.awaitAnonymous("/livez", http.StatusOK) // as the kubelet's probes are
	if got := n.anonymousStatus("/api"); got != http.StatusUnauthorized {
		t.Errorf("/api is answered with %d", got)
	}
	seen := n.apiserverCheck("--live", "--kubeconfig", filepath.Join(n.dir, "super-admin.conf"))
	if got := seen.with("pass", ""); got != "1.2.1 1.2.15 1.2.29" {
		t.Errorf("seen to pass are %s: %+v", got, seen.Checks)
	}

	// What the benchmark says of 1.2.1, word for word, has the probes fail.
	n.replaceIn(filepath.Join(n.manifests, "kube-apiserver.yaml"), "--authentication-config="+filepath.Join(n.dir, "apiserver", "authentication-config.yaml"), "--anonymous-auth=false")
	n.awaitStarted(k)
	n.awaitAnonymous("/livez", http.StatusUnauthorized)
	r = n.apiserverCheck(n.manifests, "--only", "1.2.1")
	if c := r.Checks[0]; c.Status != "pass" || !strings.Contains(c.Note, "is refused (401)") {
		t.Errorf("1.2.1 is %+v", c)
	}
}

func sortedWords(text string) string {
	words := strings.Fields(text)
	slices.Sort(words)
	return strings.Join(words, " ")
}

// awaitStarted waits until the kubelet has started kube-apiserver since it was
// last asked, and the control plane is healthy.
func (n *kubeadmNode) awaitStarted(k *standIn) {
	n.t.Helper()
	for deadline := time.Now().Add(time.Minute); !strings.Contains(k.started(), cluster.ComponentAPIServer); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			n.t.Fatal("kube-apiserver was not started anew")
		}
	}
	n.awaitHealthy(k)
}

// awaitAnonymous waits for an answer: at first the API server has not read its
// roles yet, and refuses.
func (n *kubeadmNode) awaitAnonymous(path string, want int) {
	n.t.Helper()
	got := 0
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if got = n.anonymousStatus(path); got == want {
			return
		}
	}
	n.t.Fatalf("%s is answered with %d, want %d", path, got, want)
}

// anonymousStatus returns how kube-apiserver answers who has no credential.
func (n *kubeadmNode) anonymousStatus(path string) int {
	n.t.Helper()
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}}
	answer, err := client.Get("https://" + n.address(3) + path)
	ok(n.t, err)
	ok(n.t, answer.Body.Close())
	return answer.StatusCode
}

// address returns where one of the node's ports is.
func (n *kubeadmNode) address(port int) string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(n.ports[port]))
}
