package staticpod

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// KubeletAsks returns the question by which the kubelet decides whether it ends
// the component, nil if it asks none over HTTP: that of the liveness probe, or else
// of the startup probe. As the kubelet does, it shows no client certificate and
// sends the headers of the probe (pkg/probe/http).
func (c *Component) KubeletAsks(l *Listener) Probe {
	for _, probe := range []*corev1.Probe{c.Container.LivenessProbe, c.Container.StartupProbe} {
		if probe == nil || probe.HTTPGet == nil {
			continue
		}
		host, port, err := net.SplitHostPort(l.Address)
		if err != nil {
			return nil
		}
		header := http.Header{}
		for _, h := range probe.HTTPGet.HTTPHeaders {
			header.Add(h.Name, h.Value)
		}
		scheme := strings.ToLower(cmp.Or(string(probe.HTTPGet.Scheme), string(corev1.URISchemeHTTP)))
		port = cmp.Or(c.probePort(probe.HTTPGet), port)
		path := "/" + strings.TrimPrefix(probe.HTTPGet.Path, "/")
		return httpProbe(AskingTLS(), scheme+"://"+net.JoinHostPort(host, port)+path, header)
	}
	return nil
}

// maxMetrics bounds what is read of metrics: those of a large cluster are 10 MB.
const maxMetrics = 64 << 20

// Started returns when the process that answers was started, in seconds since
// 1970, as its metrics say. They need an authorization, as the ClusterRole
// system:monitoring gives it, that the client certificate may lack.
func (l *Listener) Started(ctx context.Context) (float64, error) {
	resp, err := get(ctx, asker(l.conf), "https://"+l.Address+"/metrics", nil)
	if err != nil {
		return 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	lines := bufio.NewScanner(io.LimitReader(resp.Body, maxMetrics))
	for lines.Scan() {
		// k8s.io/component-base/metrics/processstarttime.go
		if value, ok := strings.CutPrefix(lines.Text(), "process_start_time_seconds "); ok && resp.StatusCode == http.StatusOK {
			return strconv.ParseFloat(value, 64)
		}
	}
	if err := lines.Err(); err != nil {
		return 0, err
	}
	return 0, errors.New("its metrics do not say when it was started")
}
