package main_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestLabWebhook: it serves with the certificate that it is given until it is told to
// end, and says what is wrong with one that it cannot serve.
func TestLabWebhook(t *testing.T) {
	t.Parallel()
	w := newUserDir(t)
	w.pkictl("init-ca")
	w.pkictl("issue --profile server --cn image-policy.image-policy.svc --out tls")
	w.pkictl("issue --profile server --cn other.example.com --out other")
	var shown bytes.Buffer
	cmd := exec.Command(pkictl(), "lab", "webhook", "--cert", "tls.crt", "--key", "tls.key", "--registry", "hooli.example")
	cmd.Dir, cmd.Stderr = w.dir, &shown
	out, err := cmd.StdoutPipe()
	ok(t, err)
	ok(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // where the test fails before
	text := bufio.NewReader(out)
	line, err := text.ReadString('\n')
	ok(t, err)
	_, address, _ := strings.Cut(line, "https://")
	address, _, _ = strings.Cut(address, ";")

	ca, err := os.ReadFile(filepath.Join(w.dir, "pki/ca.crt"))
	ok(t, err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "image-policy.image-policy.svc"}}}
	for image, want := range map[string]string{"hooli.example/a:1": "untrusted registry", "nginx:1.29": `"allowed":true`} {
		body := `{"apiVersion": "admission.k8s.io/v1", "request": {"uid": "7", "object": {"spec": {"containers": [{"image": "` + image + `"}]}}}}`
		answer, err := client.Post("https://"+address+"/validate", "application/json", strings.NewReader(body))
		ok(t, err)
		data, err := io.ReadAll(answer.Body)
		ok(t, err)
		ok(t, answer.Body.Close())
		if !strings.Contains(string(data), want) {
			t.Errorf("%s: %s", image, data)
		}
	}
	_, port, _ := strings.Cut(address, ":")
	for args, want := range map[string]string{
		"--cert tls.crt --key tls.key --registry a --port " + port: "cannot listen on port " + port,
		"--cert tls.crt --key other.key --registry a":              "does not match",
		"--cert none.crt --key tls.key --registry a":               `cannot read "none.crt"`,
		"--cert tls.crt --key tls.key":                             "needs --cert, --key and --registry",
		"--cert tls.crt --key tls.key --registry a --port 65536":   "no port 65536",
	} {
		if _, stderr, err := w.try(pkictl(), strings.Fields("lab webhook "+args)...); err == nil || !strings.Contains(stderr, want) || !strings.Contains(stderr, "hint: ") {
			t.Errorf("%s: %v\n%s\nwant %q", args, err, stderr, want)
		}
	}

	ok(t, cmd.Process.Signal(syscall.SIGINT))
	rest, err := io.ReadAll(text)
	ok(t, err)
	if err := cmd.Wait(); err != nil || shown.Len() > 0 || !strings.Contains(string(rest), "Ctrl-C") {
		t.Errorf("%v\n%s%s", err, rest, &shown)
	}
}
