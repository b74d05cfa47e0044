package main_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/pkictl/pkictl/csr"
	"github.com/pkictl/pkictl/internal/kubeclient"
)

// submitted sends a new request for a user.
func submitted(t *testing.T, c *kubeclient.Client, name string, o csr.SubmitOptions) *csr.Object {
	t.Helper()
	o.RequestPEM, o.Name = requestOf(t, name), name
	object, created, err := csr.Submit(t.Context(), c, o)
	ok(t, err)
	if !created {
		t.Fatalf("%s was there", name)
	}
	return object
}

// own is a request for a signer that nobody serves unless the test does.
func own(signer string) csr.SubmitOptions {
	return csr.SubmitOptions{Signer: signer, Usages: []string{"digital signature", "client auth"}}
}

// waiting is a wait that goes on.
type waiting struct {
	object *csr.Object
	err    error
}

// startWait begins to wait, and returns once the API server has the watch.
func startWait(t *testing.T, p *faultProxy, object *csr.Object, o csr.WaitOptions) <-chan waiting {
	t.Helper()
	c := client(t, p.kubeconfig)
	done := make(chan waiting, 1)
	go func() {
		got, err := csr.Wait(context.WithoutCancel(t.Context()), c, object.Name, object.UID, o)
		done <- waiting{got, err}
	}()
	p.await(t, "watch=true", 1)
	return done
}

// await returns once n requests that hold a text were seen.
func (p *faultProxy) await(t *testing.T, text string, n int) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for p.count(text) < n {
		if time.Now().After(deadline) {
			t.Fatalf("never saw %d of %q in %v", n, text, p.requests())
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func (p *faultProxy) count(text string) int {
	n := 0
	for _, request := range p.requests() {
		if strings.Contains(request, text) {
			n++
		}
	}
	return n
}

// endedAs checks why a wait has ended.
func endedAs(t *testing.T, got waiting, state csr.State, says string) {
	t.Helper()
	var ended *csr.EndedError
	if !errors.As(got.err, &ended) || ended.State != state || !strings.Contains(got.err.Error(), says) {
		t.Errorf("it ended with %v, want %s %q", got.err, state, says)
	}
}

// TestWaitEnds: each way in which a request ends is told apart, by a watch.
func TestWaitEnds(t *testing.T) {
	t.Parallel()
	cluster := sharedCluster(t)
	c := client(t, cluster.admin)
	for name, end := range map[string]struct {
		act  func(t *testing.T, object *csr.Object)
		want csr.State
		says string
	}{
		"denied": {func(t *testing.T, object *csr.Object) {
			_, err := csr.Deny(t.Context(), c, object, "not today")
			ok(t, err)
		}, csr.StateDenied, "it was denied (PkictlDeny: not today)"},
		"deleted": {func(t *testing.T, object *csr.Object) {
			ok(t, c.Delete(t.Context(), kubeclient.CertificateSigningRequests+"/"+object.Name, object.UID))
		}, csr.StateDeleted, "deleted while it was waited for"},
		"approved then deleted": {func(t *testing.T, object *csr.Object) {
			_, err := csr.Approve(t.Context(), c, object, "")
			ok(t, err)
			ok(t, c.Delete(t.Context(), kubeclient.CertificateSigningRequests+"/"+object.Name, object.UID))
		}, csr.StateDeleted, "deleted while it was waited for"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := sharedCluster(t)
			p := cluster.newFaultProxy()
			object := submitted(t, c, "wait-ends-"+strings.ReplaceAll(name, " ", "-"), own("example.com/wait-ends"))
			done := startWait(t, p, object, csr.WaitOptions{})
			end.act(t, object)
			endedAs(t, <-done, end.want, end.says)
			if gets := p.count("GET " + kubeclient.CertificateSigningRequests + "/"); gets != 1 {
				t.Errorf("it asked %d times beside the watch: %v", gets, p.requests())
			}
		})
	}
}

// TestWaitFailed: usages that the signer does not give end as Failed.
func TestWaitFailed(t *testing.T) {
	t.Parallel()
	c := client(t, sharedCluster(t).admin)
	object := &csr.Object{
		TypeMeta:   metav1.TypeMeta{APIVersion: "certificates.k8s.io/v1", Kind: "CertificateSigningRequest"},
		ObjectMeta: metav1.ObjectMeta{Name: "wait-failed"},
		Spec: certificatesv1.CertificateSigningRequestSpec{
			Request: requestOf(t, "wait-failed"), SignerName: csr.SignerClient, Usages: []certificatesv1.KeyUsage{certificatesv1.UsageServerAuth},
		},
	}
	ok(t, c.Create(t.Context(), kubeclient.CertificateSigningRequests, object, object))
	w := newUserDir(t)
	_, err := csr.Approve(t.Context(), c, object, "")
	ok(t, err)
	admin := sharedCluster(t).admin
	got := runProgram(t, program(w.dir, "csr", "wait", "wait-failed", "--kubeconfig", admin))
	checkRefusal(t, "failed", got, 1, "its signer failed it (SignerValidationFailure: invalid usage for client certificate: server auth)", "with a new key")
	// It is not submitted again, nor mistaken for one that may come to something.
	ok(t, os.WriteFile(filepath.Join(w.dir, "x.csr"), object.Spec.Request, 0o600))
	got = runProgram(t, program(w.dir, "csr", "submit", "x.csr", "--name", "wait-failed", "--kubeconfig", admin))
	checkRefusal(t, "submitted again", got, 1, "exists and is another's: it asks for other usages", "--name")
}

// TestWaitOutlivesTheServer: broken watches, an API server that is away, and one
// that has forgotten what happened do not end a wait.
func TestWaitOutlivesTheServer(t *testing.T) {
	t.Parallel()
	c := client(t, sharedCluster(t).admin)
	const one = kubeclient.CertificateSigningRequests + "/"
	for name, faults := range map[string][]apiFault{
		"watches that break":       {{path: "watch=true", cutAfter: 50 * time.Millisecond, times: 3}},
		"watches that are cut":     {{path: "watch=true", cut: true, times: 3}},
		"watches that are too old": {{path: "watch=true", code: http.StatusGone, times: 2}},
		"watches that say so":      {{path: "watch=true", expired: true, times: 2}},
		"server away": {
			{path: "watch=true", cutAfter: 50 * time.Millisecond, times: 1},
			{path: one, skip: 1, cut: true, times: 3}, {path: one, skip: 1, code: http.StatusServiceUnavailable, times: 2},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := sharedCluster(t).newFaultProxy(faults...)
			object := submitted(t, c, "wait-outlives-"+strings.ReplaceAll(name, " ", "-"), csr.SubmitOptions{})
			done := startWait(t, p, object, csr.WaitOptions{})
			p.await(t, "watch=true", 2) // it is at it again
			_, err := csr.Approve(t.Context(), c, object, "")
			ok(t, err)
			got := <-done
			ok(t, got.err)
			if csr.StateOf(got.object) != csr.StateIssued {
				t.Errorf("it is %s", csr.StateOf(got.object))
			}
		})
	}
}

// TestWaitTellsOfSlowSigner: nobody serves the signer, which is said once.
func TestWaitTellsOfSlowSigner(t *testing.T) {
	t.Parallel()
	c := client(t, sharedCluster(t).admin)
	object := submitted(t, c, "wait-slow-signer", own("example.com/nobody"))
	approved, err := csr.Approve(t.Context(), c, object, "")
	ok(t, err)
	var told []string
	last, err := csr.Wait(t.Context(), c, object.Name, object.UID, csr.WaitOptions{
		Known: approved, Timeout: time.Second, Patience: time.Millisecond, Notify: func(message string) { told = append(told, message) },
	})
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "the signer example.com/nobody has not signed it") || last == nil {
		t.Errorf("at the timeout: %v", err)
	}
	if len(told) != 1 || !strings.Contains(told[0], "perhaps nothing serves the signer example.com/nobody") {
		t.Errorf("it told %q", told)
	}
	if got, err := csr.Wait(t.Context(), c, object.Name, "", csr.WaitOptions{For: csr.StateApproved}); err != nil || got.UID != object.UID {
		t.Errorf("waiting for approval: %v", err)
	}
	if _, err := csr.Wait(t.Context(), c, object.Name, "another", csr.WaitOptions{}); !strings.Contains(err.Error(), "another of that name") {
		t.Errorf("with another UID: %v", err)
	}
}

// TestCSRWaitCommand: the answers and exit codes of the command.
func TestCSRWaitCommand(t *testing.T) {
	t.Parallel()
	cluster := sharedCluster(t)
	c, w := client(t, cluster.admin), newUserDir(t)
	wait := func(args ...string) outcome {
		return runProgram(t, program(w.dir, append(in("csr", "wait", "--kubeconfig", cluster.admin), args...)...))
	}
	checkRefusal(t, "none", wait("csr-wait-none"), 1, `certificate signing request "csr-wait-none": not found`, "pkictl csr list")
	pending := submitted(t, c, "csr-wait-pending", own("example.com/x"))
	checkRefusal(t, "timeout", wait(pending.Name, "--timeout", "300ms"), 1, "after 300ms: it is pending", "pkictl csr approve csr-wait-pending")
	p := cluster.newFaultProxy()
	interrupted := program(w.dir, "csr", "wait", pending.Name, "--kubeconfig", p.kubeconfig)
	var out, errOut bytes.Buffer
	interrupted.Stdout, interrupted.Stderr = &out, &errOut
	ok(t, interrupted.Start())
	p.await(t, "watch=true", 1)
	ok(t, interrupted.Process.Signal(os.Interrupt))
	_ = interrupted.Wait() // its exit code says it
	checkRefusal(t, "interrupted", outcome{interrupted.ProcessState.ExitCode(), out.String(), errOut.String()}, 1,
		`interrupted while waiting for certificate signing request "csr-wait-pending"`, "pkictl csr wait csr-wait-pending")
	denied := submitted(t, c, "csr-wait-denied", own("example.com/x"))
	_, err := csr.Deny(t.Context(), c, denied, "\x1b[31mnever\u202e")
	ok(t, err)
	checkRefusal(t, "denied", wait(denied.Name), 4, `it was denied (PkictlDeny: \x1b[31mnever\u202e)`, "ask who denied it")

	issued := submitted(t, c, "csr-wait-issued", csr.SubmitOptions{})
	_, err = csr.Approve(t.Context(), c, issued, "")
	ok(t, err)
	ok(t, os.WriteFile(filepath.Join(w.dir, "there.crt"), []byte("mine"), 0o600))
	before := snapshot(t, w.dir)
	checkRefusal(t, "file that is there", wait(issued.Name, "--out", "there.crt"), 1, `"there.crt" exists`, "--force")
	several := wait(issued.Name, denied.Name, "csr-wait-none", "-o", "json")
	if several.code != 1 || !strings.Contains(several.stdout, `"name": "csr-wait-issued"`) || !strings.Contains(several.stderr, "2 of 3") {
		t.Errorf("several: exit code %d\n%s%s", several.code, several.stdout, several.stderr)
	}
	checkUnchanged(t, "refused", w.dir, before)
	if got := wait(issued.Name, "--out", "there.crt", "--force"); got.code != 0 {
		t.Errorf("exit code %d\n%s", got.code, got.stderr)
	}
	w.run("openssl", "verify", "-CAfile", filepath.Join(cluster.pki, "ca.crt"), "there.crt")
}

// TestWaitGoneMeanwhile: what went, or was replaced, while no watch stood, is
// told as well.
func TestWaitGoneMeanwhile(t *testing.T) {
	t.Parallel()
	c := client(t, sharedCluster(t).admin)
	for name, test := range map[string]struct {
		again bool
		want  csr.State
		says  string
	}{
		"deleted":  {false, csr.StateDeleted, "deleted while it was waited for"},
		"replaced": {true, csr.StateReplaced, "there is another of that name now"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := sharedCluster(t).newFaultProxy()
			object := submitted(t, c, "wait-gone-"+name, own("example.com/wait-gone"))
			// Nothing passes but the first look, until it is gone.
			p.set(apiFault{path: oneCSR, skip: 1, code: http.StatusServiceUnavailable}, apiFault{path: "watch=true", code: http.StatusInternalServerError})
			done := startWait(t, p, object, csr.WaitOptions{})
			ok(t, c.Delete(t.Context(), oneCSR+object.Name, object.UID))
			if test.again {
				submitted(t, c, object.Name, own("example.com/wait-gone"))
			}
			p.set()
			endedAs(t, <-done, test.want, test.says)
		})
	}
}
