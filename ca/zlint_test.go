package ca

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	zx509 "github.com/zmap/zcrypto/x509"
	"github.com/zmap/zlint/v3/lint"

	"github.com/pkictl/pkictl/internal/failure"
)

// dies is the name of what the lint in this file dies of.
const dies = "zlint.dies.example.com"

type dyingLint struct{}

func (dyingLint) CheckApplies(cert *zx509.Certificate) bool {
	if cert.Subject.CommonName == dies {
		panic("index out of range")
	}
	return false
}

func (dyingLint) Execute(*zx509.Certificate) *lint.LintResult { return nil }

type dyingListLint struct{}

func (dyingListLint) CheckApplies(list *zx509.RevocationList) bool {
	if list.Issuer.CommonName == dies {
		panic("index out of range")
	}
	return false
}

func (dyingListLint) Execute(*zx509.RevocationList) *lint.LintResult { return nil }

func init() {
	lint.RegisterCertificateLint(&lint.CertificateLint{
		LintMetadata: lint.LintMetadata{Name: "e_dies", Description: "dies", Source: lint.Community},
		Lint:         func() lint.LintInterface { return dyingLint{} },
	})
	lint.RegisterRevocationListLint(&lint.RevocationListLint{
		LintMetadata: lint.LintMetadata{Name: "e_crl_dies", Description: "dies", Source: lint.Community},
		Lint:         func() lint.RevocationListLintInterface { return dyingListLint{} },
	})
}

// TestLintDies: where a lint of zlint dies, the command does not.
func TestLintDies(t *testing.T) {
	t.Parallel()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	now := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	dir := t.TempDir() + "/pki"
	_, err := Init(context.Background(), InitOptions{Dir: dir, Now: now})
	check(err)
	_, err = Issue(context.Background(), IssueOptions{Dir: dir, CommonName: dies, Now: now})
	if err == nil || !strings.Contains(err.Error(), "zlint cannot judge the certificate: e_dies:") ||
		failure.KindOf(err) != failure.Usage || failure.HintOf(err) == "" {
		t.Errorf("%v (hint %q)", err, failure.HintOf(err))
	}
	key, err := GenerateKey(ECDSAP256)
	check(err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: now, NotAfter: now.Add(time.Hour), SubjectKeyId: []byte{1}}
	template.Subject.CommonName, template.KeyUsage = dies, x509.KeyUsageCRLSign
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	check(err)
	issuer, err := x509.ParseCertificate(cert)
	check(err)
	list, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: now, NextUpdate: now.Add(time.Hour)}, issuer, key)
	check(err)
	if err := lintCRL(list); err == nil || !strings.Contains(err.Error(), "zlint cannot judge the revocation list: e_crl_dies: index out of range") || failure.HintOf(err) == "" {
		t.Errorf("%v", err)
	}
	for name, der := range map[string][]byte{"e_dies": cert, "e_crl_dies": list} {
		items, err := Decode(der, "file")
		check(err)
		findings := Lint(items, LintOptions{Now: now})
		if !slices.ContainsFunc(findings, func(f Finding) bool {
			return f.Lint == name && f.Severity == SeverityError && strings.HasPrefix(f.Details, "zlint cannot judge it: ") && strings.HasSuffix(f.Details, "index out of range")
		}) {
			t.Errorf("%s: %+v", name, findings)
		}
	}
}
