package lab

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/pkictl/pkictl/internal/failure"
)

// A Webhook is the program behind a ValidatingWebhookConfiguration for labs without a
// kubelet, which could run none: it denies pods with an image of one registry. It
// answers AdmissionReviews of admission.k8s.io/v1, keeps nothing and logs nothing.
type Webhook struct {
	Registry string // as in hooli.example
	CertPEM  []byte // with those between it and the CA behind it
	KeyPEM   []byte
}

// Listen takes a port of 127.0.0.1 for the webhook.
func (h Webhook) Listen(ctx context.Context, port int) (net.Listener, error) {
	pair, err := tls.X509KeyPair(h.CertPEM, h.KeyPEM)
	if err != nil {
		return nil, failure.New(failure.Failed, "make both again, or name the key that the certificate was made with", "certificate and key cannot be served: %s", strings.TrimPrefix(err.Error(), "tls: "))
	}
	var listen net.ListenConfig
	plain, err := listen.Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		var op *net.OpError
		if errors.As(err, &op) {
			err = op.Err
		}
		return nil, failure.Wrap(err, failure.Failed, "end what uses it, or choose another", "cannot listen on port %d", port)
	}
	return tls.NewListener(plain, &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}), nil
}

// How long a caller may take: an API server waits for ten seconds by default.
const webhookTime = 10 * time.Second

// maxReview is more than an API server sends: it takes objects of up to 3 MiB, and
// sends the old one along.
const maxReview = 8 << 20

// Serve answers until ctx ends.
func (h Webhook) Serve(ctx context.Context, l net.Listener) error {
	server := &http.Server{
		Handler: h, ReadHeaderTimeout: webhookTime, ReadTimeout: webhookTime, WriteTimeout: webhookTime,
		MaxHeaderBytes: 64 << 10, ErrorLog: log.New(io.Discard, "", 0),
	}
	// An API server keeps connections: the next check is another server on that port.
	server.SetKeepAlivesEnabled(false)
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return failure.Wrap(err, failure.Failed, "", "the webhook has ended")
	}
	return nil
}

// review is an AdmissionReview of admission.k8s.io/v1, as far as it is read or written.
type review struct {
	APIVersion string          `json:"apiVersion"`
	Kind       string          `json:"kind"`
	Request    *reviewRequest  `json:"request,omitempty"`
	Response   *reviewResponse `json:"response,omitempty"`
}

type reviewRequest struct {
	UID    string          `json:"uid"`
	Object json.RawMessage `json:"object"`
}

type reviewResponse struct {
	UID     string        `json:"uid"`
	Allowed bool          `json:"allowed"`
	Status  *reviewStatus `json:"status,omitempty"`
}

type reviewStatus struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

const admissionVersion = "admission.k8s.io/v1"

func (h Webhook) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	data, err := io.ReadAll(http.MaxBytesReader(out, r.Body, maxReview))
	var asked review
	if err == nil {
		err = json.Unmarshal(data, &asked)
	}
	if err != nil || r.Method != http.MethodPost || asked.APIVersion != admissionVersion || asked.Request == nil {
		http.Error(out, "send an AdmissionReview of "+admissionVersion, http.StatusBadRequest)
		return
	}
	answer := review{APIVersion: admissionVersion, Kind: "AdmissionReview", Response: &reviewResponse{UID: asked.Request.UID, Allowed: true}}
	if image := h.denied(asked.Request.Object); image != "" {
		answer.Response.Allowed = false
		answer.Response.Status = &reviewStatus{Code: http.StatusForbidden, Message: fmt.Sprintf("image %q is from an untrusted registry", image)}
	}
	out.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(out).Encode(answer) // who is gone needs no answer
}

// denied returns the first image of a pod that is of the registry, or none.
func (h Webhook) denied(pod json.RawMessage) string {
	type container struct {
		Image string `json:"image"`
	}
	var it struct {
		Spec struct {
			InitContainers      []container `json:"initContainers"`
			Containers          []container `json:"containers"`
			EphemeralContainers []container `json:"ephemeralContainers"`
		} `json:"spec"`
	}
	if err := json.Unmarshal(pod, &it); err != nil {
		return "" // what is deleted, or is no pod
	}
	for _, list := range [][]container{it.Spec.InitContainers, it.Spec.Containers, it.Spec.EphemeralContainers} {
		for _, c := range list {
			if strings.EqualFold(registryOf(c.Image), h.Registry) {
				return c.Image
			}
		}
	}
	return ""
}

// registryOf returns the host of an image's registry, without its port. A first part
// with neither dot nor colon is none, but for localhost (distribution/reference).
func registryOf(image string) string {
	first, _, ok := strings.Cut(image, "/")
	if !ok || !strings.ContainsAny(first, ".:") && first != "localhost" {
		return ""
	}
	host, _, _ := strings.Cut(first, ":")
	return host
}
