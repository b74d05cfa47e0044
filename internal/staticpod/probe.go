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

// HTTPProbe returns a probe that wants status 200 from url.
func HTTPProbe(conf *tls.Config, url string) Probe {
	client := &http.Client{
		Timeout: ProbeTimeout,
		// No proxy, whatever the environment says, and no connection left
		// open that a component would wait for when it shuts down.
		Transport: &http.Transport{TLSClientConfig: conf, DisableKeepAlives: true},
	}
	return func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		defer func() { _ = resp.Body.Close() }()
		body, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10)) // only for the message
		if resp.StatusCode == http.StatusOK {
			return nil
		}
		return fmt.Errorf("%s answered %s%s", url, resp.Status, failedChecks(string(body)))
	}
}

// failedChecks picks the checks marked [-] out of an answer of /readyz.
func failedChecks(body string) string {
	var failed []string
	for line := range strings.Lines(body) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "[-]"); ok {
			failed = append(failed, name)
		}
	}
	if failed == nil {
		return ""
	}
	return ": " + strings.Join(failed, ", ")
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
