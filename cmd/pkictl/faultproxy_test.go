package main_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/pkictl/pkictl/kubeconfig"
)

// apiFault is what happens to some requests on their way to the API server.
type apiFault struct {
	method string // empty: any
	path   string // of what the path with the query holds, empty: any
	skip   int    // so many of them pass
	times  int    // then so many fail; 0: all

	delay time.Duration // before anything else
	code  int           // the answer, with a Status of the API; 0: the API server's own
	cut   bool          // the connection breaks in place of an answer
	after bool          // the API server acts, and then code, cut or hang hide its answer
	hang  bool          // there is no answer until the client has gone
	// expired answers a watch as from a version that the API server has forgotten.
	expired bool
	// cutAfter breaks an answer that goes on, as a watch does, after that time.
	cutAfter time.Duration
}

// faultProxy stands before the real API server. Who comes with a client
// certificate is impersonated, so that the API server decides as it would.
type faultProxy struct {
	kubeconfig string // reaches the proxy as the cluster's administrator

	mu     sync.Mutex
	faults []apiFault
	seen   []string // METHOD PATH?QUERY of all requests

	hung chan struct{} // closed when a request hangs; one may
}

// waitHung waits until a request hangs.
func (p *faultProxy) waitHung(t *testing.T) {
	t.Helper()
	select {
	case <-p.hung:
	case <-time.After(time.Minute):
		t.Fatalf("no request hangs; seen %q", p.requests())
	}
}

// set replaces the faults and forgets what was seen.
func (p *faultProxy) set(faults ...apiFault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults, p.seen = faults, nil
}

// requests returns METHOD PATH?QUERY of what was seen.
func (p *faultProxy) requests() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.seen...)
}

// match notes a request and returns what is to happen to it.
func (p *faultProxy) match(r *http.Request) apiFault {
	p.mu.Lock()
	defer p.mu.Unlock()
	target := r.URL.RequestURI()
	p.seen = append(p.seen, r.Method+" "+target)
	for i := range p.faults {
		f := &p.faults[i]
		if (f.method != "" && f.method != r.Method) || !strings.Contains(target, f.path) {
			continue
		}
		if f.skip > 0 {
			f.skip--
			continue
		}
		if f.times == 1 {
			hit := *f
			f.times = -1
			return hit
		}
		if f.times < 0 {
			continue
		}
		if f.times > 0 {
			f.times--
		}
		return *f
	}
	return apiFault{}
}

// newFaultProxy starts a proxy before the cluster's API server until the test
// ends.
func (c realCluster) newFaultProxy(faults ...apiFault) *faultProxy {
	c.t.Helper()
	p := &faultProxy{faults: faults, hung: make(chan struct{}), kubeconfig: filepath.Join(c.dir, "proxy.conf")}
	target, err := url.Parse(c.url)
	if err != nil {
		c.t.Fatal(err)
	}
	pair := func(name string) tls.Certificate {
		pair, err := tls.LoadX509KeyPair(name+".crt", name+".key")
		if err != nil {
			c.t.Fatal(err)
		}
		return pair
	}
	roots := x509.NewCertPool()
	caPEM, err := os.ReadFile(filepath.Join(c.pki, "ca.crt"))
	if err != nil || !roots.AppendCertsFromPEM(caPEM) {
		c.t.Fatal(err)
	}
	forward := &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(target); impersonate(r) },
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair(filepath.Join(c.pki, "kube-admin"))}}},
		FlushInterval: -1, // watches
		ErrorLog:      log.New(io.Discard, "", 0),
	}
	c.pkictl("issue --dir " + c.pki + " --cn 127.0.0.1 --profile server --out " + filepath.Join(c.dir, "proxy"))
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { p.serve(w, r, forward) }))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.TLS = &tls.Config{
		Certificates: []tls.Certificate{pair(filepath.Join(c.dir, "proxy"))},
		ClientCAs:    roots, ClientAuth: tls.VerifyClientCertIfGiven,
	}
	server.StartTLS()
	c.t.Cleanup(server.CloseClientConnections)
	c.t.Cleanup(func() { _ = server.Listener.Close() }) // Close waits for what hangs

	config, err := os.ReadFile(c.admin)
	if err != nil {
		c.t.Fatal(err)
	}
	config = []byte(strings.ReplaceAll(string(config), c.url, server.URL))
	if _, err := kubeconfig.Parse(config, "admin.conf"); err != nil {
		c.t.Fatal(err)
	}
	if err := os.WriteFile(p.kubeconfig, config, 0o600); err != nil {
		c.t.Fatal(err)
	}
	return p
}

// impersonate hands on who the client is; an administrator who impersonates
// somebody does so still.
func impersonate(r *httputil.ProxyRequest) {
	if len(r.In.TLS.PeerCertificates) == 0 || r.In.Header.Get("Impersonate-User") != "" {
		return
	}
	subject := r.In.TLS.PeerCertificates[0].Subject
	r.Out.Header.Set("Impersonate-User", subject.CommonName)
	for _, group := range append(subject.Organization, "system:authenticated") {
		r.Out.Header.Add("Impersonate-Group", group)
	}
}

func (p *faultProxy) serve(w http.ResponseWriter, r *http.Request, forward http.Handler) {
	f := p.match(r)
	select {
	case <-time.After(f.delay):
	case <-r.Context().Done():
		return
	}
	if f.after {
		forward.ServeHTTP(httptest.NewRecorder(), r)
	}
	switch {
	case f.hang:
		_, _ = io.Copy(io.Discard, r.Body) // or nobody notices that the client goes
		close(p.hung)
		<-r.Context().Done()
	case f.cut:
		hang, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			_ = hang.Close()
		}
	case f.code != 0:
		answer(w, f.code)
	case f.expired:
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","status":"Failure",`+
			`"message":"too old resource version","reason":"Expired","code":410}}`)
	case f.cutAfter > 0:
		ctx, cancel := context.WithTimeout(r.Context(), f.cutAfter)
		defer cancel()
		forward.ServeHTTP(w, r.WithContext(ctx))
		panic(http.ErrAbortHandler)
	default:
		forward.ServeHTTP(w, r)
	}
}

// answer sends an error as the API server words it.
func answer(w http.ResponseWriter, code int) {
	reasons := map[int]metav1.StatusReason{
		http.StatusUnauthorized: metav1.StatusReasonUnauthorized, http.StatusForbidden: metav1.StatusReasonForbidden,
		http.StatusConflict: metav1.StatusReasonConflict, http.StatusTooManyRequests: metav1.StatusReasonTooManyRequests,
		http.StatusInternalServerError: metav1.StatusReasonInternalError, http.StatusGone: metav1.StatusReasonExpired,
	}
	status := metav1.Status{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: metav1.StatusFailure,
		Message: "fault: " + http.StatusText(code), Reason: reasons[code], Code: int32(code),
	}
	if code == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", "1")
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(status) // the client may have gone
}

func TestFaultProxy(t *testing.T) {
	t.Parallel()
	c := sharedCluster(t)
	p := c.newFaultProxy()
	if out := c.as(p.kubeconfig, "auth whoami -o jsonpath={.status.userInfo.username}"); out != "kube-admin" {
		t.Errorf("through the proxy the administrator is %q", out)
	}
	p.set(apiFault{path: "/namespaces", code: http.StatusForbidden, times: 1})
	if _, stderr, err := c.try(c.kubectl, "--kubeconfig", p.kubeconfig, "get", "namespaces"); err == nil || !strings.Contains(stderr, "fault: Forbidden") {
		t.Errorf("%v %s", err, stderr)
	}
	c.as(p.kubeconfig, "get namespaces")
	if seen := p.requests(); len(seen) < 2 {
		t.Errorf("seen %v", seen)
	}
}
