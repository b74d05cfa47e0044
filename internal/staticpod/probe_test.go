package staticpod

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestHTTPProbe(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name       string
		status     int
		body       string
		trust      bool
		clientAuth tls.ClientAuthType
		err        string // part of the message; "" for ready
		permanent  bool
	}{
		{name: "ready", status: 200, body: "ok", trust: true},
		{name: "a check fails", status: 500, body: "[+]ping ok\n[-]etcd failed: reason withheld\n", trust: true, err: "500 Internal Server Error: etcd failed: reason withheld"},
		{name: "anonymous clients refused", status: 401, body: "{}", trust: true, err: "401 Unauthorized"},
		{name: "certificate of another CA", status: 200, err: "x509: ", permanent: true},
		{name: "client certificate demanded", status: 200, trust: true, clientAuth: tls.RequireAnyClientCert, err: "tls: ", permanent: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(tt.status)
				_, _ = w.Write([]byte(tt.body))
			}))
			server.TLS = &tls.Config{ClientAuth: tt.clientAuth}
			server.Config.ErrorLog = log.New(io.Discard, "", 0)
			server.StartTLS()
			defer server.Close()
			roots := x509.NewCertPool()
			if tt.trust {
				roots.AddCert(server.Certificate())
			}
			err := HTTPProbe(&tls.Config{RootCAs: roots}, server.URL)(t.Context())
			checkProbe(t, err, tt.err, tt.permanent)
		})
	}
}

func checkProbe(t *testing.T, err error, part string, isPermanent bool) {
	t.Helper()
	if part == "" {
		if err != nil {
			t.Errorf("not ready: %v", err)
		}
		return
	}
	if err == nil || !strings.Contains(err.Error(), part) {
		t.Fatalf("got %v, want an error with %q", err, part)
	}
	if Permanent(err) != isPermanent {
		t.Errorf("permanent(%v) is %v", err, Permanent(err))
	}
}

func TestProbeOfNobodyIsNotPermanent(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(nil)
	server.Close()
	answer := HTTPProbe(&tls.Config{}, server.URL)(t.Context())
	if answer == nil || Permanent(answer) {
		t.Errorf("got %v", answer)
	}
}
