package csr

import (
	"encoding/pem"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestKeptUntil holds the times against those of kube-controller-manager
// (pkg/controller/certificates/cleaner/cleaner.go).
func TestKeptUntil(t *testing.T) {
	t.Parallel()
	created := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(kind certificatesv1.RequestConditionType, hours int) certificatesv1.CertificateSigningRequestCondition {
		return certificatesv1.CertificateSigningRequestCondition{Type: kind, LastUpdateTime: metav1.NewTime(created.Add(time.Duration(hours) * time.Hour))}
	}
	tests := []struct {
		name   string
		issued bool
		list   []certificatesv1.CertificateSigningRequestCondition
		hours  int // after it was created; -1: nobody knows
	}{
		{"pending", false, nil, 24},
		{"approved", false, []certificatesv1.CertificateSigningRequestCondition{at(certificatesv1.CertificateApproved, 2)}, 26},
		{"issued", true, []certificatesv1.CertificateSigningRequestCondition{at(certificatesv1.CertificateApproved, 2)}, 3},
		{"denied", false, []certificatesv1.CertificateSigningRequestCondition{at(certificatesv1.CertificateDenied, 5)}, 6},
		{"failed", false, []certificatesv1.CertificateSigningRequestCondition{at(certificatesv1.CertificateApproved, 1), at(certificatesv1.CertificateFailed, 3)}, 4},
		{"no time", false, []certificatesv1.CertificateSigningRequestCondition{{Type: certificatesv1.CertificateDenied}}, -1},
	}
	for _, test := range tests {
		object := &Object{}
		object.CreationTimestamp = metav1.NewTime(created)
		object.Status.Conditions = test.list
		if test.issued {
			object.Status.Certificate = []byte("x")
		}
		got := -1
		if r := Decode(object); r.Collected != nil {
			got = int(r.Collected.Sub(created).Hours())
		}
		if got != test.hours {
			t.Errorf("%s: %d, want %d", test.name, got, test.hours)
		}
	}
}

// FuzzDecode: whatever an object holds, it can be looked at.
func FuzzDecode(f *testing.F) {
	_, request, err := NewRequest(RequestOptions{CommonName: "jane", Groups: []string{"developers"}})
	if err != nil {
		f.Fatal(err)
	}
	block, _ := pem.Decode(request)
	f.Add(block.Bytes, []byte{}, SignerClient, "client auth", "jane")
	f.Add(block.Bytes, block.Bytes, SignerKubelet, "server auth", "")
	f.Add([]byte{0x30}, []byte("x"), "example.com/x", "any", "system:node:x")
	f.Fuzz(func(t *testing.T, request, certificate []byte, signer, usage, username string) {
		object := &Object{}
		object.Name = "fuzz"
		object.Spec = certificatesv1.CertificateSigningRequestSpec{
			Request: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: request}), SignerName: signer,
			Usages: []certificatesv1.KeyUsage{certificatesv1.KeyUsage(usage)}, Username: username,
		}
		object.Status.Certificate = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate})
		r := Decode(object)
		r.conclude([]string{"x"})
		if readable := Request(object) != nil; readable == (r.LogsIn == loginUnread) {
			t.Errorf("readable %t, but %q", readable, r.LogsIn)
		}
		if r.LogsIn == loginUnread && len(r.Problems) == 0 {
			t.Error("it cannot be read, and nothing says so")
		}
	})
}
