package main_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pkictl/pkictl/csr"
	"github.com/pkictl/pkictl/internal/kubeclient"
)

// csrRequest is one request that a command sends.
type csrRequest struct {
	verb         string // of pkictl csr
	method, path string // of what the request holds
	write        bool
}

const (
	allCSRs = kubeclient.CertificateSigningRequests
	oneCSR  = allCSRs + "/"
)

var csrRequests = []csrRequest{
	{"submit", http.MethodPost, allCSRs, true},
	{"list", http.MethodGet, allCSRs, false},
	{"wait", http.MethodGet, oneCSR, false},
	{"wait", http.MethodGet, "watch=true", false},
	{"sign", http.MethodGet, oneCSR, false},
	{"sign", http.MethodPut, "/status?dryRun=All", true},
	{"sign", http.MethodPut, "/status", true},
}

// csrAnswers are faults of an API server, and what a command says to each.
var csrAnswers = []struct {
	name       string
	fault      apiFault
	exit       int // 0: it gets over it
	says, hint string
	writesOnly bool
	readsOnly  bool // which client-go tries again while there is time
}{
	{name: "401", fault: apiFault{code: http.StatusUnauthorized}, exit: 1, says: "does not know user", hint: "credential may have ended"},
	{name: "403", fault: apiFault{code: http.StatusForbidden}, exit: 4, says: "the API server refused", hint: "--context"},
	{name: "409", fault: apiFault{code: http.StatusConflict}, exit: 1, says: "fault: Conflict", hint: "try again", writesOnly: true},
	{name: "409 once", fault: apiFault{code: http.StatusConflict, times: 1}, writesOnly: true},
	{name: "429 once", fault: apiFault{code: http.StatusTooManyRequests, times: 1}},
	{name: "500", fault: apiFault{code: http.StatusInternalServerError}, exit: 1, says: "the API server failed", hint: "look at its log"},
	{name: "slow", fault: apiFault{delay: time.Minute}, exit: 1, says: "gave no answer within 2s", hint: "--request-timeout"},
	{name: "cut", fault: apiFault{cut: true}, exit: 1, says: "cannot call the API server", hint: "try again", writesOnly: true},
	{name: "cut for a time", fault: apiFault{cut: true}, exit: 1, says: "gave no answer within 2s", hint: "--request-timeout", readsOnly: true},
	{name: "cut once", fault: apiFault{cut: true, times: 1}},
	{name: "answer lost once", fault: apiFault{cut: true, after: true, times: 1}},
}

// TestCSRFaults: whatever happens to each request of each command, it ends with
// one error and one hint and nothing has changed, or it gets over it.
func TestCSRFaults(t *testing.T) {
	t.Parallel()
	sharedCluster(t)
	for i, request := range csrRequests {
		for j, answer := range csrAnswers {
			if answer.writesOnly && !request.write || answer.readsOnly && request.write {
				continue
			}
			if request.path == "watch=true" && (answer.exit == 1 && answer.name != "401" || answer.fault.after) {
				continue // a wait goes on: TestWaitOutlivesTheServer
			}
			if request.verb == "submit" && strings.HasPrefix(answer.name, "409") {
				continue // which then says that there is one: TestSubmitIsAnothers
			}
			if strings.Contains(request.path, "dryRun") && answer.exit == 1 && (answer.name == "409" || answer.name == "cut") {
				continue // that is left to the one behind it
			}
			t.Run(fmt.Sprintf("%s %s %s %s", request.verb, request.method, request.path, answer.name), func(t *testing.T) {
				t.Parallel()
				f := answer.fault
				f.method, f.path = request.method, request.path
				if request.path == "/status" { // not the rehearsal
					f.skip = 1
				}
				s := newCSRSite(t, fmt.Sprintf("csr-faults-%d-%d", i, j), request.verb)
				s.proxy.set(f)
				before := snapshot(t, s.w.dir)
				got := s.run()
				if answer.exit == 0 {
					s.checkDone(t, got)
					return
				}
				checkRefusal(t, answer.name, got, answer.exit, answer.says, answer.hint)
				if f.skip == 0 { // otherwise it has signed, for the next time
					checkUnchanged(t, answer.name, s.w.dir, before)
				}
				s.checkNothing(t)
				s.proxy.set()
				s.checkDone(t, s.run())
			})
		}
	}
}

// csrSite is a place where a verb of csr is about to be run, with a name of its
// own.
type csrSite struct {
	verb, name string
	w          userDir
	admin      *kubeclient.Client
	proxy      *faultProxy
	args       []string

	cluster realCluster
	other   userDir // of who signs what is waited for
	stop    atomic.Bool
}

func newCSRSite(t *testing.T, name, verb string) *csrSite {
	t.Helper()
	cluster := sharedCluster(t)
	s := &csrSite{cluster: cluster, verb: verb, name: name, w: cluster.userDir, admin: client(t, cluster.admin), proxy: cluster.newFaultProxy()}
	s.args = in("csr", verb, name, "--kubeconfig", s.proxy.kubeconfig, "--request-timeout", "2s")
	switch verb {
	case "submit":
		ok(t, os.WriteFile(filepath.Join(s.w.dir, name), requestOf(t, name), 0o600))
		s.args = append(s.args, "--name", name)
	case "list":
		submitted(t, s.admin, name, own("example.com/"+name))
		s.args = in("csr", "list", "--signer", "example.com/"+name, "--kubeconfig", s.proxy.kubeconfig, "--request-timeout", "2s")
	case "wait":
		_, err := csr.Approve(t.Context(), s.admin, submitted(t, s.admin, name, own("example.com/"+name)), "")
		ok(t, err)
		s.args = append(s.args, "--out", "got.crt", "--timeout", "30s")
		s.other = newUserDir(t)
		s.other.pkictl("init-ca")
	case "sign":
		do(t, s.w.dir, "init-ca")
		_, err := csr.Approve(t.Context(), s.admin, submitted(t, s.admin, name, own("example.com/"+name)), "")
		ok(t, err)
	}
	return s
}

// run runs the command; where it waits, something signs once it watches.
func (s *csrSite) run() outcome {
	signer := make(chan struct{})
	s.stop.Store(false)
	go func() {
		defer close(signer)
		if s.verb == "wait" {
			s.signOnceWatched()
		}
	}()
	got := runProgram(s.w.t, program(s.w.dir, s.args...))
	s.stop.Store(true)
	<-signer
	return got
}

func (s *csrSite) signOnceWatched() {
	for s.proxy.count("watch=true") == 0 {
		if s.stop.Load() {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	if stdout, stderr, err := s.other.try(pkictl(), "csr", "sign", s.name, "--kubeconfig", s.cluster.admin); err != nil {
		s.w.t.Errorf("signing: %v\n%s%s", err, stdout, stderr)
	}
}

// checkDone checks that the command has done what it is for, once.
func (s *csrSite) checkDone(t *testing.T, got outcome) {
	t.Helper()
	if got.code != 0 {
		t.Errorf("exit code %d\n%s", got.code, got.stderr)
		return
	}
	object, err := csr.Get(t.Context(), s.admin, s.name)
	ok(t, err)
	switch s.verb {
	case "list":
		if !strings.Contains(got.stdout, s.name) {
			t.Errorf("it lists\n%s", got.stdout)
		}
	case "wait":
		data, err := os.ReadFile(filepath.Join(s.w.dir, "got.crt"))
		ok(t, err)
		if string(data) != string(object.Status.Certificate) {
			t.Error("it has saved another certificate")
		}
	case "sign":
		cert := csr.Certificate(object)
		if cert == nil {
			t.Fatal("there is no certificate")
		}
		rows := 0
		for _, item := range list(t, s.w.dir).Items {
			if strings.HasPrefix(item.Name, "csr-"+s.name) {
				rows++
			}
		}
		if rows != 1 {
			t.Errorf("%d certificates were signed", rows)
		}
	}
}

// checkNothing checks that the cluster is as it was.
func (s *csrSite) checkNothing(t *testing.T) {
	t.Helper()
	object, err := csr.Get(t.Context(), s.admin, s.name)
	switch {
	case s.verb == "submit" && err == nil:
		t.Error("the object was made")
	case s.verb == "sign" && (err != nil || len(object.Status.Certificate) > 0):
		t.Errorf("it has a certificate: %v", err)
	}
}

// TestCSRForbidden: who may not is told what, by the API server's own words.
func TestCSRForbidden(t *testing.T) {
	t.Parallel()
	cluster := sharedCluster(t)
	c, w := client(t, cluster.admin), newUserDir(t)
	w.pkictl("issue --dir " + cluster.pki + " --cn csr-forbidden --out csr-forbidden --kubeconfig nobody.conf --server " + cluster.url)
	w.pkictl("init-ca")
	w.pkictl("csr new jane")
	approvedFor(t, c, "csr-forbidden", csr.RequestOptions{CommonName: "jane"}, own("example.com/csr-forbidden"))
	before := snapshot(t, w.dir)
	for line, says := range map[string]string{
		"csr submit jane.csr":         "cannot create resource",
		"csr list":                    "cannot list resource",
		"csr wait csr-forbidden":      "cannot get resource",
		"csr sign csr-forbidden":      "cannot get resource",
		"csr submit jane.csr --wait":  "cannot create resource",
		"csr submit jane.csr --quiet": "cannot create resource",
	} {
		got := runProgram(t, program(w.dir, strings.Fields(line+" --kubeconfig nobody.conf")...))
		checkRefusal(t, line, got, 4, `User "csr-forbidden" `+says+` "certificatesigningrequests"`, "use a kubeconfig or --context that may")
	}
	// One who may write the status, and not sign for the signer, is stopped
	// before anything is signed.
	cluster.asAdmin("create clusterrole csr-forbidden --verb=get,update --resource=certificatesigningrequests,certificatesigningrequests/status")
	cluster.asAdmin("create clusterrolebinding csr-forbidden --clusterrole=csr-forbidden --user=csr-forbidden")
	for {
		got := runProgram(t, program(w.dir, "csr", "sign", "csr-forbidden", "--kubeconfig", "nobody.conf"))
		if strings.Contains(got.stderr, "cannot get resource") || strings.Contains(got.stderr, "cannot update resource") {
			continue // the authorizer has not seen the binding yet
		}
		checkRefusal(t, "sign", got, 4, `user not permitted to sign requests with signerName "example.com/csr-forbidden"`, "have an administrator grant it")
		break
	}
	checkUnchanged(t, "all", w.dir, before)
}
