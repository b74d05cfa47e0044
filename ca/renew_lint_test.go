package ca_test

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
)

// TestRenewOfWhatZlintRefuses: the hint speaks of no option that a renewal lacks.
func TestRenewOfWhatZlintRefuses(t *testing.T) {
	t.Parallel()
	dir := newCA(t, ca.ECDSAP256)
	authority := must(ca.Open(dir))
	must(0, authority.LoadKey(nil))
	signer := must(ca.ParseKey(must(os.ReadFile(filepath.Join(dir, "ca.key"))), "ca.key", nil))
	key := must(ca.GenerateKey(ca.ECDSAP256))
	template := &x509.Certificate{
		SerialNumber: big.NewInt(77), NotBefore: now, NotAfter: now.Add(ca.Year),
		Subject:  pkix.Name{CommonName: "jane", Organization: []string{strings.Repeat("long", 20)}},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der := must(x509.CreateCertificate(rand.Reader, template, authority.Certificate, key.Public(), signer))
	h := must(authority.HoldingOf(context.Background(), must(x509.ParseCertificate(der)), now))
	_, _, err := authority.PrepareRenewal(h, ca.RenewOptions{Dir: dir, Now: now})
	if err == nil || !strings.Contains(err.Error(), "zlint") || strings.Contains(failure.HintOf(err), "option") || !strings.Contains(failure.HintOf(err), "instead of renewing") {
		t.Errorf("%v; hint: %s", err, failure.HintOf(err))
	}
}
