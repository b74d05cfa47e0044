package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/pkictl/pkictl/ca"
)

var testTime = time.Now().UTC().Truncate(time.Second)

// run runs a command line in this process.
func run(t *testing.T, dir string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errOut bytes.Buffer
	a := &app{
		in: strings.NewReader(""), out: &out, err: &errOut,
		env: func(string) string { return "" }, now: func() time.Time { return testTime },
	}
	code = a.run(context.Background(), append([]string{"--dir", dir}, args...))
	return code, out.String(), errOut.String()
}

func testKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func selfSigned(t *testing.T, template x509.Certificate, key crypto.Signer) []byte {
	t.Helper()
	template.SerialNumber = big.NewInt(1)
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func write(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// hostile has what a terminal would act on, and what the eye would misread.
const hostile = "a\x1b[2J\x1b]0;x\x07\r\n\t\u0085\u009bm\u202eb\u2066c\u200bd\ufeff"

// TestInspectEscapes: nothing of a hostile certificate reaches text output as
// it is.
func TestInspectEscapes(t *testing.T) {
	t.Parallel()
	key := testKey(t)
	uri := &url.URL{Scheme: "spiffe", Host: "x", Path: "/" + hostile}
	der := selfSigned(t, x509.Certificate{
		Subject:   pkix.Name{CommonName: hostile, Organization: []string{hostile, "\u202egroup"}},
		NotBefore: testTime.Add(-time.Hour), NotAfter: testTime.Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		URIs:        []*url.URL{uri}, DNSNames: []string{"a\x1b[2Jb"}, OCSPServer: []string{"http://\x1b[2J"},
		EmailAddresses: []string{"a\x7f@b"}, CRLDistributionPoints: []string{"http://\x1b[2J"},
	}, key)
	request, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: hostile}}, key)
	if err != nil {
		t.Fatal(err)
	}
	kubeconfig := `{"apiVersion": "v1", "kind": "Config", "current-context": "\u001b[2J\u202e",
		"contexts": [{"name": "\u001b[2J\u202e", "context": {"cluster": "\u001b[2J", "user": "\u001b[2J", "namespace": "\u001b[2J"}}],
		"clusters": [{"name": "\u001b[2J", "cluster": {"server": "https://\u202ea", "certificate-authority": "\u001b[2J"}}],
		"users": [{"name": "\u001b[2J", "user": {"username": "\u001b[2J", "exec": {"command": "\u001b[2J", "apiVersion": "client.authentication.k8s.io/v1"}}}]}`
	dir := filepath.Join(t.TempDir(), "pki")
	if code, _, stderr := run(t, dir, "init-ca"); code != 0 {
		t.Fatal(stderr)
	}
	for _, args := range [][]string{
		{"inspect", write(t, "cert.der", der)},
		{"inspect", write(t, "cert\x1b[2J\u202e.der", der)},
		{"inspect", write(t, "request.der", request)},
		{"inspect", write(t, "kubeconfig", []byte(kubeconfig))},
		{"inspect", "no\x1b[2J\u202ename"},
		{"inspect", "http://\x1b[2J\u202ename"},
		{"verify", write(t, "cert.der", der)},
		{"verify", write(t, "cert.der", der), "--host", "\u202ex"},
		{"verify", write(t, "kubeconfig", []byte(kubeconfig))},
	} {
		_, stdout, stderr := run(t, dir, args...)
		if stdout+stderr == "" {
			t.Errorf("%q: no output", args)
		}
		if !utf8.ValidString(stdout + stderr) {
			t.Errorf("%q: output is not UTF-8", args)
		}
		for _, r := range stdout + stderr {
			if r != '\n' && !unicode.IsPrint(r) {
				t.Errorf("%q: %U reaches the output:\n%q", args, r, stdout+stderr)
				break
			}
		}
	}
	_, stdout, _ := run(t, dir, "inspect", write(t, "cert.der", der))
	if want := `Kubernetes user     a\x1b[2J\x1b]0;x\a\r\n\t\u0085\u009bm\u202eb\u2066c\u200bd\ufeff`; !strings.Contains(stdout, want) {
		t.Errorf("no %q in\n%s", want, stdout)
	}
}

func TestInspectTimes(t *testing.T) {
	t.Parallel()
	key := testKey(t)
	for _, test := range []struct {
		from, to time.Duration
		want     string
	}{
		{-3 * ca.Day, -2 * ca.Day, "(expired 2d ago)"},
		{5 * time.Hour, 6 * time.Hour, "(not yet: in 5h)"},
		{-time.Hour, 10 * ca.Day, "(in 10d)"},
	} {
		der := selfSigned(t, x509.Certificate{NotBefore: testTime.Add(test.from), NotAfter: testTime.Add(test.to)}, key)
		code, stdout, stderr := run(t, "pki", "inspect", write(t, "cert.der", der))
		if code != 0 || !strings.Contains(stdout, test.want) {
			t.Errorf("code %d, no %q in\n%s%s", code, test.want, stdout, stderr)
		}
	}
}

// serve runs a TLS server that hangs up after the handshake, and returns its
// port.
func serve(t *testing.T, config *tls.Config) string {
	t.Helper()
	listener, err := tls.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() {
		_ = listener.Close()
		<-done
	})
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_ = conn.(*tls.Conn).Handshake() // some clients are to be refused
			_ = conn.Close()
		}
	}()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

func wantAll(t *testing.T, output string, want ...string) {
	t.Helper()
	for _, line := range want {
		if !strings.Contains(output, line) {
			t.Errorf("no %q in\n%s", line, output)
		}
	}
}

func TestInspectServer(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "pki")
	for _, args := range [][]string{
		{"init-ca"}, {"issue", "--cn", "web", "--profile", "server", "--ip", "127.0.0.1", "--dns", "web.example.com"},
	} {
		if code, _, stderr := run(t, dir, args...); code != 0 {
			t.Fatal(stderr)
		}
	}
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, "web.crt"), filepath.Join(dir, "web.key"))
	if err != nil {
		t.Fatal(err)
	}
	port := serve(t, &tls.Config{Certificates: []tls.Certificate{pair}})
	code, stdout, stderr := run(t, dir, "inspect", "https://127.0.0.1:"+port+"/healthz")
	if code != 0 || stderr != "" {
		t.Errorf("code %d: %s", code, stderr)
	}
	wantAll(t, stdout, "Server 127.0.0.1:"+port+" presents 1 certificate\n", "found signed by CN=KUBERNETES-CA\n",
		"wanted 127.0.0.1; found it among the alternative names\n", "Certificate 1\n", "  subject             CN=web\n")

	code, stdout, _ = run(t, dir, "inspect", "https://localhost:"+port)
	if code != 0 {
		t.Errorf("code %d", code)
	}
	wantAll(t, stdout, "FAIL  host   wanted localhost; found a certificate for web.example.com, web, 127.0.0.1")

	_, stdout, _ = run(t, filepath.Join(dir, "none"), "inspect", "https://127.0.0.1:"+port)
	wantAll(t, stdout, "-   chain  not checked: there is no CA in ")

	_, stdout, _ = run(t, dir, "inspect", "-o", "json", "https://127.0.0.1:"+port)
	wantAll(t, stdout, `"address": "127.0.0.1:`+port+`"`, `"name": "chain"`, `"fingerprintSHA256"`)
}

// TestInspectServerThatRefuses: etcd and others insist on a client certificate,
// but present their own before.
func TestInspectServerThatRefuses(t *testing.T) {
	t.Parallel()
	key := testKey(t)
	der := selfSigned(t, x509.Certificate{
		Subject: pkix.Name{CommonName: "etcd"}, NotBefore: testTime.Add(-2 * time.Hour), NotAfter: testTime.Add(-time.Hour),
	}, key)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		port := serve(t, &tls.Config{
			Certificates: []tls.Certificate{{Certificate: [][]byte{der, der}, PrivateKey: key}},
			ClientAuth:   tls.RequireAndVerifyClientCert, MaxVersion: version,
		})
		code, stdout, stderr := run(t, "pki", "inspect", "https://127.0.0.1:"+port)
		if code != 0 {
			t.Errorf("%s: code %d: %s", tls.VersionName(version), code, stderr)
		}
		wantAll(t, stdout, "presents 2 certificates", "FAIL  time   ", "found expired on ", "FAIL  host   ", "found no alternative names",
			"Certificate 2\n")
	}
}

func TestInspectServerErrors(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		conn, err := listener.Accept()
		if err == nil {
			// What is left unread at the end would reset the connection.
			_, readErr := conn.Read(make([]byte, 64<<10))
			_, writeErr := conn.Write([]byte("SSH-2.0-OpenSSH\r\n"))
			err = errors.Join(readErr, writeErr, conn.Close())
		}
		done <- err
	}()
	code, stdout, stderr := run(t, "pki", "inspect", "https://"+listener.Addr().String())
	if err := errors.Join(<-done, listener.Close()); err != nil {
		t.Fatal(err)
	}
	if code != 1 || stdout != "" {
		t.Errorf("code %d: %s", code, stdout)
	}
	wantAll(t, stderr, "error: cannot get the certificate of ", "hint: something else than TLS listens on that port\n")
	// The listener is closed now.
	code, _, stderr = run(t, "pki", "inspect", "https://"+listener.Addr().String())
	if code != 1 || strings.Count(stderr, "\n") != 2 {
		t.Errorf("code %d: %s", code, stderr)
	}
	wantAll(t, stderr, "connection refused\nhint: check host and port")
}

// TestInspectUnreadable: what may not be read is named with what to do.
func TestInspectUnreadable(t *testing.T) {
	t.Parallel()
	path := write(t, "x.crt", []byte("x"))
	if err := os.Chmod(path, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := os.ReadFile(path); err == nil {
		t.Skip("this user may read everything")
	}
	code, _, stderr := run(t, "pki", "inspect", path)
	if code != 1 {
		t.Errorf("code %d", code)
	}
	wantAll(t, stderr, "permission denied\nhint: check owner and mode")
}
