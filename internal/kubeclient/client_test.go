package kubeclient_test

import (
	"context"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"

	"github.com/pkictl/pkictl/internal/failure"
	"github.com/pkictl/pkictl/internal/kubeclient"
)

// config is a kubeconfig of one cluster.
const config = `apiVersion: v1
kind: Config
clusters:
- {name: c, cluster: {server: %q, certificate-authority-data: %q}}
users:
- {name: u, user: {token: secret-token}}
contexts:
- {name: here, context: {cluster: c, user: u, namespace: dev}}
- {name: lost, context: {cluster: gone, user: u}}
- {name: plain, context: {cluster: c, user: u}}
current-context: here
`

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestConnect(t *testing.T) {
	t.Parallel()
	path := write(t, fmt.Sprintf(config, "https://10.0.0.10:6443", ""))
	missing := filepath.Join(t.TempDir(), "none")
	c, err := kubeclient.Connect(kubeclient.Options{Paths: []string{missing, path}})
	if err != nil {
		t.Fatal(err)
	}
	if c.Server() != "https://10.0.0.10:6443" || c.Context != "here" || c.Cluster != "c" || c.User != "u" || c.Namespace != "dev" {
		t.Errorf("%s %+v", c.Server(), c)
	}
	if c, err = kubeclient.Connect(kubeclient.Options{File: path, Context: "plain"}); err != nil || c.Namespace != "default" {
		t.Errorf("%v %+v", err, c)
	}
}

func TestConnectErrors(t *testing.T) {
	t.Parallel()
	good := fmt.Sprintf(config, "https://10.0.0.10:6443", "")
	path := write(t, good)
	missing := filepath.Join(t.TempDir(), "none")
	for name, test := range map[string]struct {
		options kubeclient.Options
		want    string
		kind    failure.Kind
	}{
		"no file":          {kubeclient.Options{Paths: []string{missing}}, "there is no kubeconfig with a cluster in it", failure.Failed},
		"no path":          {kubeclient.Options{}, "there is no kubeconfig", failure.Failed},
		"named, not there": {kubeclient.Options{File: missing}, "no such file", failure.Failed},
		"unknown context":  {kubeclient.Options{File: path, Context: "x"}, `there is no context "x"`, failure.Usage},
		"lost cluster":     {kubeclient.Options{File: path, Context: "lost"}, `names the cluster "gone"`, failure.Failed},
		"no current":       {kubeclient.Options{File: write(t, strings.Replace(good, "current-context: here", "", 1))}, "no current context", failure.Usage},
		"empty":            {kubeclient.Options{File: write(t, "")}, "there is no kubeconfig with a cluster in it", failure.Failed},
		"directory":        {kubeclient.Options{File: t.TempDir()}, "is a directory", failure.Failed},
		"tabs":             {kubeclient.Options{File: write(t, "users:\n\t- name: u\n\t  user: {token: secret-token}\n")}, "cannot use the kubeconfig", failure.Failed},
		"CA is no base64":  {kubeclient.Options{File: write(t, fmt.Sprintf(config, "https://a", "secret-token"))}, "cannot use the kubeconfig", failure.Failed},
		"CA is no PEM":     {kubeclient.Options{File: write(t, fmt.Sprintf(config, "https://a", base64.StdEncoding.EncodeToString([]byte("x"))))}, "cannot use context", failure.Failed},
		"no server":        {kubeclient.Options{File: write(t, fmt.Sprintf(config, "", ""))}, "cannot use the kubeconfig", failure.Failed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := kubeclient.Connect(test.options)
			checkError(t, err, test.want, test.kind)
		})
	}
}

func checkError(t *testing.T, err error, want string, kind failure.Kind) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) || failure.KindOf(err) != kind {
		t.Errorf("got %v (kind %d), want %q (kind %d)", err, failure.KindOf(err), want, kind)
	}
	if err != nil && (strings.Contains(err.Error(), "secret-token") || strings.Contains(err.Error(), "\n")) {
		t.Errorf("the error quotes a secret or has several lines: %v", err)
	}
}

// client returns a client of a server, known by the certificate of trusted.
func client(t *testing.T, server string, trusted *httptest.Server, timeout time.Duration) *kubeclient.Client {
	t.Helper()
	ca := ""
	if trusted != nil {
		ca = base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: trusted.Certificate().Raw}))
	}
	c, err := kubeclient.Connect(kubeclient.Options{File: write(t, fmt.Sprintf(config, server, ca)), Timeout: timeout})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func whoami(ctx context.Context, c *kubeclient.Client) error {
	var review authenticationv1.SelfSubjectReview
	return c.Create(ctx, kubeclient.SelfSubjectReviews, &review, &review)
}

// TestUnreachable calls what is no API server that answers.
func TestUnreachable(t *testing.T) {
	t.Parallel()
	quiet := func(s *httptest.Server) *httptest.Server {
		s.Config.ErrorLog = log.New(io.Discard, "", 0)
		s.StartTLS()
		t.Cleanup(s.Close)
		return s
	}
	slow := quiet(httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // or the end of the request is not seen
		<-r.Context().Done()
	})))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := "https://" + listener.Addr().String()
	_ = listener.Close()

	for name, test := range map[string]struct {
		client *kubeclient.Client
		want   string
	}{
		"nobody listens": {client(t, closed, slow, 0), "cannot reach the API server " + closed + ": connect: connection refused"},
		"another CA":     {client(t, slow.URL, nil, 0), "its certificate is not signed by the CA in the kubeconfig"},
		"no answer":      {client(t, slow.URL, slow, 50*time.Millisecond), "gave no answer within 50ms"},
	} {
		t.Run(name, func(t *testing.T) {
			checkError(t, whoami(t.Context(), test.client), test.want, failure.Failed)
		})
	}

	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	if err := whoami(ctx, client(t, slow.URL, slow, 0)); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}
