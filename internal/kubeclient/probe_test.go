package kubeclient_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/kubeclient"
)

// TestProbe calls servers that answer as API servers do which know a credential,
// do not, or say nothing; a test of the program calls a real one.
func TestProbe(t *testing.T) {
	t.Parallel()
	sent := make(chan string, 10)
	answering := func(status int, body string) *httptest.Server {
		s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			sent <- r.Header.Get("Authorization")
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			fmt.Fprint(w, body)
		}))
		t.Cleanup(s.Close)
		return s
	}
	for _, test := range []struct {
		status  int
		body    string
		version string
		refused bool
	}{
		{200, `{"gitVersion": "v1.35.0"}`, "v1.35.0", false},
		{200, `no version`, "", false},
		{401, `{"kind": "Status", "apiVersion": "v1", "code": 401, "reason": "Unauthorized"}`, "", true},
		{403, `{"kind": "Status", "apiVersion": "v1", "code": 403, "reason": "Forbidden"}`, "", false},
	} {
		s := answering(test.status, test.body)
		a, err := client(t, s.URL, s, time.Minute).Probe(t.Context(), time.Minute)
		if err != nil || a.Version != test.version || a.Refused != test.refused || a.Anonymous || a.Took <= 0 {
			t.Errorf("%d: %+v %v", test.status, a, err)
		}
		if got := <-sent; got != "Bearer secret-token" {
			t.Errorf("%d: sent %q", test.status, got)
		}
	}
	s := answering(200, `{"gitVersion": "v1.35.0"}`)
	insecure := strings.Replace(fmt.Sprintf(config, s.URL, ""), `certificate-authority-data: ""`, "insecure-skip-tls-verify: true", 1)
	c, err := kubeclient.Connect(kubeclient.Options{File: write(t, insecure)})
	if err != nil {
		t.Fatal(err)
	}
	if a, err := c.Probe(t.Context(), time.Minute); err != nil || !a.Anonymous || a.Version != "v1.35.0" {
		t.Errorf("not verified: %+v %v", a, err)
	}
	if got := <-sent; got != "" {
		t.Errorf("a server that is not verified got %q", got)
	}
	_, err = client(t, "https://127.0.0.1:1", s, time.Minute).Probe(t.Context(), time.Minute)
	checkError(t, err, "cannot reach the API server", failure.Failed)
	stop := make(chan struct{})
	slow := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-stop }))
	t.Cleanup(func() { close(stop); slow.Close() })
	_, err = client(t, slow.URL, slow, time.Minute).Probe(t.Context(), 50*time.Millisecond)
	checkError(t, err, "no answer within 50ms", failure.Failed)
}

func TestClientCertificate(t *testing.T) {
	t.Parallel()
	c := client(t, "https://127.0.0.1:1", nil, time.Minute)
	if cert, err := c.ClientCertificate(); cert != nil || !errors.Is(err, kubeclient.ErrNoCertificate) {
		t.Errorf("%v %v", cert, err)
	}
}
