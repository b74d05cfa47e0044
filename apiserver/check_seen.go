package apiserver

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/pkictl/pkictl/internal/kubeclient"
)

// lookFromOutside checks what can be seen of an API server from outside.
func lookFromOutside(ctx context.Context, client *kubeclient.Client, checks []Check) ([]CheckResult, error) {
	var results []CheckResult
	for _, seen := range []struct {
		id   string
		look func(context.Context, *kubeclient.Client) (finding, error)
	}{
		{"1.2.1", lookAnonymous},
		{"1.2.15", lookProfiling},
		{"1.2.29", lookCiphers},
	} {
		i := slices.IndexFunc(checks, func(c Check) bool { return c.ID == seen.id })
		if i < 0 {
			continue
		}
		f, err := seen.look(ctx, client)
		if err != nil {
			return nil, err
		}
		r := CheckResult{Check: checks[i], Status: f.status, Found: "seen: " + f.found, Note: f.note}
		if r.Status == StatusFail {
			// What is running says no flag, so that the fix is in general terms.
			r.Fix = checks[i].mend.of(&checkedPod{component: Component, manifest: new(Manifest)})
		}
		results = append(results, r)
	}
	return results, nil
}

// lookAnonymous asks without a credential: 401 is for who is nobody, any other
// answer for system:anonymous, who may or may not.
func lookAnonymous(ctx context.Context, client *kubeclient.Client) (finding, error) {
	nobody, err := client.Anonymous()
	if err != nil {
		return finding{}, err
	}
	api, err := nobody.Status(ctx, "/api")
	if err != nil {
		return finding{}, err
	}
	probe, err := nobody.Status(ctx, "/livez")
	if err != nil {
		return finding{}, err
	}
	f := fail(fmt.Sprintf("/api without a credential is answered with %d, as for system:anonymous", api), "")
	if api == http.StatusUnauthorized {
		f = pass("/api without a credential is answered with 401", "")
	}
	if probe == http.StatusUnauthorized {
		f.note = "/livez without a credential is answered with 401, too: the probes of kubeadm's manifest fail, and the kubelet restarts kube-apiserver"
	}
	return f, nil
}

func lookProfiling(ctx context.Context, client *kubeclient.Client) (finding, error) {
	code, err := client.Status(ctx, "/debug/pprof/")
	if err != nil {
		return finding{}, err
	}
	switch code {
	case http.StatusOK:
		return fail("/debug/pprof/ is there", ""), nil
	case http.StatusNotFound:
		return pass("/debug/pprof/ is not there", ""), nil
	case http.StatusForbidden:
		return unknown(fmt.Sprintf("user %q may not get /debug/pprof/", client.User), ""), nil
	}
	return unknown(fmt.Sprintf("/debug/pprof/ is answered with %d", code), ""), nil
}

// lookCiphers offers what is not strong: old versions of TLS, and with TLS 1.2 all
// suites that are not among those of the benchmark.
func lookCiphers(ctx context.Context, client *kubeclient.Client) (finding, error) {
	if !client.IsDirect() {
		return unknown("a proxy is between", ""), nil
	}
	var taken []string
	if state, ok, err := client.Negotiate(ctx, kubeclient.Offer{Min: tls.VersionTLS10, Max: tls.VersionTLS11}); err != nil {
		return finding{}, err
	} else if ok {
		taken = append(taken, tls.VersionName(state.Version))
	}
	weak := weakSuites()
	for len(weak) > 0 {
		state, ok, err := client.Negotiate(ctx, kubeclient.Offer{Min: tls.VersionTLS12, Max: tls.VersionTLS12, Suites: weak})
		if err != nil {
			return finding{}, err
		}
		if !ok {
			break
		}
		taken = append(taken, tls.CipherSuiteName(state.CipherSuite))
		weak = slices.DeleteFunc(weak, func(suite uint16) bool { return suite == state.CipherSuite })
	}
	if taken != nil {
		return fail("it takes "+strings.Join(taken, ", "), ""), nil
	}
	return pass("it refuses all others", ""), nil
}

// weakSuites are those for TLS 1.2 that Go knows and the benchmark does not.
func weakSuites() []uint16 {
	var weak []uint16
	for _, suite := range slices.Concat(tls.CipherSuites(), tls.InsecureCipherSuites()) {
		if !isStrong(suite.Name) && slices.Contains(suite.SupportedVersions, uint16(tls.VersionTLS12)) {
			weak = append(weak, suite.ID)
		}
	}
	return weak
}
