package main_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"net"
	"net/url"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/csr"
	"github.com/pkictl/pkictl/internal/kubeclient"
)

// TestCSRRulesAreThoseOfTheCluster sends requests without our checks to a real
// control plane, and approves them: what Check refuses ends without a
// certificate, and what it lets through has one.
func TestCSRRulesAreThoseOfTheCluster(t *testing.T) {
	t.Parallel()
	c := client(t, sharedCluster(t).admin)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ok(t, err)
	subject := func(cn string, groups ...string) x509.CertificateRequest {
		return x509.CertificateRequest{Subject: pkix.Name{CommonName: cn, Organization: groups}}
	}
	with := func(r x509.CertificateRequest, change func(*x509.CertificateRequest)) x509.CertificateRequest {
		change(&r)
		return r
	}
	node := subject("system:node:csr-rules", "system:nodes")
	dns := func(r *x509.CertificateRequest) { r.DNSNames = []string{"csr-rules"} }
	ip := func(r *x509.CertificateRequest) { r.IPAddresses = []net.IP{net.IPv4(10, 0, 0, 9)} }
	mail := func(r *x509.CertificateRequest) { r.EmailAddresses = []string{"a@example.com"} }
	uri := func(r *x509.CertificateRequest) { r.URIs = []*url.URL{{Scheme: "spiffe", Host: "x"}} }
	requests := []x509.CertificateRequest{
		subject("csr-rules", "dev"), subject("csr-rules", "system:masters"), with(subject("csr-rules"), dns),
		node, with(node, dns), with(node, ip), with(with(node, dns), mail), with(with(node, dns), uri),
		subject("system:node:csr-rules", "system:nodes", "dev"), subject("csr-rules", "system:nodes"), subject("system:node:csr-rules"),
	}
	usages := [][]string{
		{"digital signature", "client auth"}, {"client auth"}, {"digital signature", "key encipherment", "client auth"}, {"digital signature"},
		{"digital signature", "server auth"}, {"digital signature", "key encipherment", "server auth"}, {"client auth", "server auth"}, {"no such usage"},
	}
	allow := []string{"name:system:node:csr-rules", "group:system:nodes"} // refused by us alone
	agreed := 0
	for i, request := range requests {
		der, err := x509.CreateCertificateRequest(rand.Reader, &request, key)
		ok(t, err)
		for j, usage := range usages {
			for k, signer := range csr.SignerNames() {
				if i > 4 && j != 0 && j != 4 || i > 2 && j > 3 && k == 0 {
					continue // the rules of usages are seen above
				}
				o := csr.SubmitOptions{RequestPEM: ca.EncodeRequest(der), Signer: signer, Usages: usage, Allow: allow}
				got, want := csr.Check(o), outcomeOf(t, c, fmt.Sprintf("csr-rules-%d-%d-%d", i, j, k), o)
				if (got == nil) != (want == csr.StateIssued) {
					t.Errorf("%v %v %v for %s: %v, and the cluster says %s", request.Subject, request.DNSNames, usage, signer, got, want)
				}
				agreed++
			}
		}
	}
	if agreed < 100 {
		t.Errorf("%d cases only", agreed)
	}
}

// outcomeOf sends a request as it is, approves it, and returns what becomes of
// it; empty where the API server refuses it.
func outcomeOf(t *testing.T, c *kubeclient.Client, name string, o csr.SubmitOptions) csr.State {
	t.Helper()
	object := &csr.Object{
		TypeMeta:   metav1.TypeMeta{APIVersion: "certificates.k8s.io/v1", Kind: "CertificateSigningRequest"},
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       certificatesv1.CertificateSigningRequestSpec{Request: o.RequestPEM, SignerName: o.Signer},
	}
	for _, usage := range o.Usages {
		object.Spec.Usages = append(object.Spec.Usages, certificatesv1.KeyUsage(usage))
	}
	if err := c.Create(t.Context(), kubeclient.CertificateSigningRequests, object, object); err != nil {
		return ""
	}
	approved, err := csr.Approve(t.Context(), c, object, "test")
	ok(t, err)
	// A node's own requests are approved by the controller, never denied.
	last, err := csr.Wait(t.Context(), c, name, object.UID, csr.WaitOptions{Known: approved, Timeout: time.Minute})
	if err == nil {
		return csr.StateIssued
	}
	if last == nil {
		t.Fatal(err)
	}
	return csr.StateOf(last)
}
