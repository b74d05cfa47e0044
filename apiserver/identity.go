package apiserver

import (
	"crypto/tls"
	"slices"
	"strings"

	"github.com/pkictl/pkictl/internal/failure"
)

// tlsVersions are the versions of TLS that are offered; kube-apiserver knows
// older ones, too.
var tlsVersions = []string{"1.2", "1.3"}

// strongSuites are those of the CIS Kubernetes Benchmark (1.2.29) with forward
// secrecy and authenticated encryption.
var strongSuites = []string{
	"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256",
	"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
	"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
}

// http2Suites are those of which HTTP/2 needs one, unless TLS 1.3 is the least (RFC
// 9113, section 9.2.2; golang.org/x/net/http2, ConfigureServer).
var http2Suites = []string{"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"}

// serving is about the certificate that clients see, and TLS.
func (p *planner) serving() error {
	o := &p.TLS
	if (o.CertFile == "") != (o.KeyFile == "") {
		return failure.New(failure.Usage, "give both", "--tls-cert-file and --tls-private-key-file go together")
	}
	if err := p.setPath("tls-cert-file", o.CertFile, "the certificate that clients see, with its intermediates (CIS 1.2.24)"); err != nil {
		return err
	}
	if err := p.setPath("tls-private-key-file", o.KeyFile, "its key (CIS 1.2.24)"); err != nil {
		return err
	}
	if o.MinVersion != "" {
		version := strings.TrimPrefix(strings.Replace(o.MinVersion, "VersionTLS1", "1.", 1), "v")
		if !slices.Contains(tlsVersions, version) {
			return failure.New(failure.Usage, "choose one of "+strings.Join(tlsVersions, ", "), "--tls-min-version %q is no version of TLS to take", o.MinVersion)
		}
		p.set("tls-min-version", "VersionTLS"+strings.Replace(version, ".", "", 1), "older versions of TLS are refused")
	}
	return p.cipherSuites()
}

func (p *planner) cipherSuites() error {
	o := &p.TLS
	if o.StrongCiphers || p.Hardened && o.CipherSuites == nil {
		o.CipherSuites = strongSuites
	}
	if o.CipherSuites == nil {
		return nil
	}
	var known []string
	for _, suite := range tls.CipherSuites() {
		known = append(known, suite.Name)
	}
	for _, suite := range o.CipherSuites {
		if !slices.Contains(known, suite) {
			hint := "take --tls-cipher-suites strong"
			if near := failure.Closest(suite, known); near != "" {
				hint = "did you mean " + near + "?"
			}
			return failure.New(failure.Usage, hint, "%q is no cipher suite, or not a secure one", suite)
		}
	}
	onlyTLS13 := strings.HasSuffix(o.MinVersion, "3")
	if onlyTLS13 {
		p.note("--tls-cipher-suites says nothing of TLS 1.3, and nothing older is spoken")
	}
	if !onlyTLS13 && !slices.ContainsFunc(http2Suites, func(suite string) bool { return slices.Contains(o.CipherSuites, suite) }) {
		return failure.New(failure.Usage, "add "+strings.Join(http2Suites, " or "), "kube-apiserver does not start without a cipher suite that HTTP/2 needs")
	}
	p.set("tls-cipher-suites", strings.Join(unique(o.CipherSuites), ","), "cipher suites of TLS 1.2; those of TLS 1.3 are not chosen (CIS 1.2.29)")
	return nil
}

// clients is about the CAs of clients.
func (p *planner) clients() error {
	if p.ClientCA != "" {
		p.note("a client certificate of another CA than those in " + p.ClientCA + " is worth nothing from now on, also those of kubelets and of kubeconfigs")
	}
	return p.setPath("client-ca-file", p.ClientCA, "the CAs of client certificates (CIS 1.2.25)")
}

// kubelet is about connections to kubelets.
func (p *planner) kubelet() error {
	o := p.Kubelet
	if (o.CertFile == "") != (o.KeyFile == "") {
		return failure.New(failure.Usage, "give both", "--kubelet-client-certificate and --kubelet-client-key go together")
	}
	if err := p.setPath("kubelet-client-certificate", o.CertFile, "the certificate that kubelets see (CIS 1.2.4)"); err != nil {
		return err
	}
	if err := p.setPath("kubelet-client-key", o.KeyFile, "its key (CIS 1.2.4)"); err != nil {
		return err
	}
	switch {
	case o.CA != "":
		p.note("kubelets whose serving certificate is not of " + o.CA + " are not talked to: no logs, exec or port-forward; kubeadm's are self-signed unless they have serverTLSBootstrap: true and their requests are approved")
	case p.Hardened:
		p.note("CIS 1.2.5 wants --kubelet-certificate-authority: give it when the kubelets' serving certificates are of a CA, which with kubeadm they are not by default")
	}
	return p.setPath("kubelet-certificate-authority", o.CA, "the CA of the kubelets' serving certificates (CIS 1.2.5)")
}

// hardened sets what the CIS Kubernetes Benchmark asks for beside the topics.
func (p *planner) hardened() error {
	if !p.Hardened {
		return nil
	}
	p.set("profiling", "false", "no profiles over HTTPS (CIS 1.2.15)")
	p.set("service-account-lookup", "true", "tokens of deleted service accounts are refused (CIS 1.2.21)")
	p.set("service-account-extend-token-expiration", "false", "tokens of pods last as long as they say (CIS 1.2.30)")
	p.note("with --service-account-extend-token-expiration=false a program that reads its token once is refused after an hour")
	return nil
}
