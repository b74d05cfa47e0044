package lab_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/pkictl/pkictl/lab"
)

// answer asks a webhook in place, and returns the status and what it says.
func answer(t *testing.T, method, body string) (code int, allowed bool, message string) {
	t.Helper()
	out := httptest.NewRecorder()
	lab.Webhook{Registry: "hooli.example"}.ServeHTTP(out, httptest.NewRequest(method, "/validate", strings.NewReader(body)))
	if out.Code != http.StatusOK {
		return out.Code, false, out.Body.String()
	}
	var review struct {
		APIVersion, Kind string
		Response         struct {
			UID     string
			Allowed bool
			Status  struct{ Message string }
		}
	}
	if err := json.Unmarshal(out.Body.Bytes(), &review); err != nil {
		t.Fatal(err)
	}
	if review.APIVersion != "admission.k8s.io/v1" || review.Kind != "AdmissionReview" || review.Response.UID != "7" {
		t.Errorf("%s", out.Body)
	}
	return out.Code, review.Response.Allowed, review.Response.Status.Message
}

func TestWebhookDecides(t *testing.T) {
	t.Parallel()
	for image, allowed := range map[string]bool{
		"nginx": true, "nginx:1.29": true, "library/nginx": true, "hooli/nginx": true, "registry.example.com/hooli.example/a": true,
		"hooli.example.com/a": true, "nothooli.example/a": true, "localhost/a": true, "": true, "hooli.example": true, // a repository of that name
		"hooli.example/a": false, "hooli.example:5000/a": false, "HOOLI.example/a/b:1": false, "hooli.example/a@sha256:00": false,
	} {
		for _, list := range []string{"containers", "initContainers", "ephemeralContainers"} {
			pod, err := json.Marshal(map[string]any{"spec": map[string]any{list: []any{map[string]any{"image": "busybox"}, map[string]any{"image": image}}}})
			if err != nil {
				t.Fatal(err)
			}
			_, is, message := answer(t, "POST", `{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {"uid": "7", "object": `+string(pod)+`}}`)
			if is != allowed || !is && !strings.Contains(message, image+`" is from an untrusted registry`) {
				t.Errorf("%s in %s: allowed %v, %q", image, list, is, message)
			}
		}
	}
	for _, object := range []string{"null", "7", `{"spec": 7}`, `{"kind": "Service", "spec": {"ports": []}}`} { // of a deletion, or none of its business
		if _, is, _ := answer(t, "POST", `{"apiVersion": "admission.k8s.io/v1", "request": {"uid": "7", "object": `+object+`}}`); !is {
			t.Errorf("%s is denied", object)
		}
	}
}

func TestWebhookRefuses(t *testing.T) {
	t.Parallel()
	good := `{"apiVersion": "admission.k8s.io/v1", "request": {"uid": "7", "object": {}}}`
	for name, test := range map[string]struct{ method, body string }{
		"GET":         {"GET", good},
		"empty":       {"POST", ""},
		"no JSON":     {"POST", "apiVersion: admission.k8s.io/v1"},
		"old version": {"POST", strings.Replace(good, "/v1", "/v1beta1", 1)},
		"no request":  {"POST", `{"apiVersion": "admission.k8s.io/v1"}`},
		"too large":   {"POST", strings.Replace(good, "{}", `"`+strings.Repeat("a", 8<<20)+`"`, 1)},
	} {
		if code, _, message := answer(t, test.method, test.body); code != http.StatusBadRequest || !strings.Contains(message, "AdmissionReview") {
			t.Errorf("%s: %d %q", name, code, message)
		}
	}
}

// TestWebhookServes: it is served with the certificate that it is given, until the end.
func TestWebhookServes(t *testing.T) {
	t.Parallel()
	given := httptest.NewUnstartedServer(nil)
	given.StartTLS()
	given.Close()
	pair := given.TLS.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	hook := lab.Webhook{
		Registry: "hooli.example", KeyPEM: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}),
		CertPEM: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]}),
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	listener, err := hook.Listen(ctx, 0)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- hook.Serve(ctx, listener) }()

	roots := x509.NewCertPool()
	roots.AddCert(given.Certificate())
	client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "example.com"}}}
	body := `{"apiVersion": "admission.k8s.io/v1", "request": {"uid": "7", "object": {"spec": {"containers": [{"image": "hooli.example/a"}]}}}}`
	response, err := client.Post("https://"+listener.Addr().String()+"/any", "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(response.Body)
	if cerr := response.Body.Close(); err != nil || cerr != nil || !bytes.Contains(data, []byte(`"allowed":false`)) || !response.Close {
		t.Errorf("%s %v %v, closed %v", data, err, cerr, response.Close)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	for name, bad := range map[string]lab.Webhook{
		"nothing": {}, "no key": {CertPEM: hook.CertPEM, KeyPEM: hook.CertPEM}, "no certificate": {CertPEM: hook.KeyPEM, KeyPEM: hook.KeyPEM},
	} {
		if _, err := bad.Listen(t.Context(), 0); err == nil || !strings.Contains(err.Error(), "cannot be served") || strings.Contains(err.Error(), "BEGIN") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzWebhook(f *testing.F) {
	f.Add(`{"apiVersion": "admission.k8s.io/v1", "request": {"uid": "7", "object": {"spec": {"containers": [{"image": "hooli.example/a"}]}}}}`)
	f.Add(`{"apiVersion": "admission.k8s.io/v1", "request": {"object": {"spec": {"initContainers": null, "containers": [null, {"image": "/:@"}]}}}}`)
	f.Fuzz(func(t *testing.T, body string) {
		out := httptest.NewRecorder()
		lab.Webhook{Registry: "hooli.example"}.ServeHTTP(out, httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body)))
		if out.Code == http.StatusOK && !json.Valid(out.Body.Bytes()) || out.Code != http.StatusOK && out.Code != http.StatusBadRequest {
			t.Errorf("%d %s", out.Code, out.Body)
		}
	})
}
