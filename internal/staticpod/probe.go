package staticpod

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// Probe asks a component once whether it is ready; nil means yes.
type Probe func(context.Context) error

// ProbeTimeout bounds one question. It is generous, for a slow machine: nobody
// waits for it when the process dies.
const ProbeTimeout = 5 * time.Second

// StatusError is an answer of another status than 200.
type StatusError struct {
	URL    string
	Code   int
	Status string // as 401 Unauthorized
	Failed string // the checks that failed, "" where the answer names none
}

// Error says what was asked, and the answer.
func (e *StatusError) Error() string {
	if e.Failed == "" {
		return fmt.Sprintf("%s answered %s", e.URL, e.Status)
	}
	return fmt.Sprintf("%s answered %s: %s", e.URL, e.Status, e.Failed)
}

// HTTPProbe returns a probe that wants status 200 from url. Other answers are a
// *StatusError.
func HTTPProbe(conf *tls.Config, url string) Probe { return httpProbe(conf, url, nil) }

func httpProbe(conf *tls.Config, url string, header http.Header) Probe {
	client := asker(conf)
	return func(ctx context.Context) error {
		resp, err := get(ctx, client, url, header)
		if err != nil {
			return err
		}
		defer func() { _ = resp.Body.Close() }()
		body, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10)) // only for the message
		if resp.StatusCode == http.StatusOK {
			return nil
		}
		return &StatusError{url, resp.StatusCode, resp.Status, failedChecks(string(body))}
	}
}

func asker(conf *tls.Config) *http.Client {
	return &http.Client{
		Timeout: ProbeTimeout,
		// No proxy, whatever the environment says, and no connection left
		// open that a component would wait for when it shuts down.
		Transport: &http.Transport{TLSClientConfig: conf, DisableKeepAlives: true},
	}
}

func get(ctx context.Context, client *http.Client, url string, header http.Header) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	if header != nil {
		req.Header = header
	}
	return client.Do(req)
}

// failedChecks picks the checks marked [-] out of an answer of /readyz, "" if
// there are none.
func failedChecks(body string) string {
	var failed []string
	for line := range strings.Lines(body) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "[-]"); ok {
			failed = append(failed, name)
		}
	}
	return strings.Join(failed, ", ")
}

// Permanent says whether the answer of a probe is one that no waiting will mend:
// one side does not accept the other's certificate.
func Permanent(err error) bool {
	var verify *tls.CertificateVerificationError
	if errors.As(err, &verify) {
		return true
	}
	// crypto/tls reports an alert of the other side with this Op.
	var alert *net.OpError
	return errors.As(err, &alert) && alert.Op == "remote error"
}
