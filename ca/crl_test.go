package ca_test

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pkictl/pkictl/ca"
	"github.com/pkictl/pkictl/internal/failure"
)

func signCRL(t *testing.T, o ca.CRLOptions) *ca.CRLResult {
	t.Helper()
	if o.Now.IsZero() {
		o.Now = now
	}
	return must(ca.SignCRL(context.Background(), o))
}

// onList names the certificates that a list has, by the serials in the inventory.
func onList(t *testing.T, dir string, entries []x509.RevocationListEntry) string {
	t.Helper()
	names := map[string]string{}
	for _, entry := range list(t, ca.ListOptions{Dir: dir}) {
		names[entry.Serial] = entry.CommonName
	}
	var found []string
	for _, entry := range entries {
		found = append(found, names[ca.FormatSerial(entry.SerialNumber)])
	}
	return strings.Join(found, " ")
}

// TestCRLEveryKey has OpenSSL and Go judge the list of every kind of CA.
func TestCRLEveryKey(t *testing.T) {
	t.Parallel()
	for _, key := range ca.KeyKinds() {
		t.Run(string(key), func(t *testing.T) {
			t.Parallel()
			dir := newCA(t, key)
			bad := issue(t, ca.IssueOptions{Dir: dir, CommonName: "bad"})
			good := issue(t, ca.IssueOptions{Dir: dir, CommonName: "good"})
			for i, reason := range []string{"", "superseded", "privilege-withdrawn"} {
				issue(t, ca.IssueOptions{Dir: dir, CommonName: fmt.Sprint(i)})
				must(revoke(dir, fmt.Sprint(i), reason))
			}
			must(revoke(dir, "bad", "key-compromise"))
			result := signCRL(t, ca.CRLOptions{Dir: dir})
			if len(result.Entries) != 4 || result.Number.Cmp(big.NewInt(1)) != 0 || !result.NextUpdate.Equal(now.Add(7*ca.Day)) {
				t.Errorf("%+v", result)
			}
			path := ca.CRLPath(dir)
			if out := openssl(t, "crl", "-in", path, "-CAfile", ca.CertPath(dir), "-noout", "-text"); !strings.Contains(out, "verify OK") ||
				strings.Count(out, "Serial Number: ") != 4 || strings.Count(out, "X509v3 CRL Reason Code") != 3 {
				t.Errorf("OpenSSL reads\n%s", out)
			}
			openssl(t, "verify", "-x509_strict", "-crl_check", "-CAfile", ca.CertPath(dir), "-CRLfile", path, good.CertPath)
			crl := must(ca.ReadCRL(path))
			root := must(ca.ReadCertificate(ca.CertPath(dir)))
			if err := crl.List.CheckSignatureFrom(root); err != nil {
				t.Error(err)
			}
			for i, entry := range crl.List.RevokedCertificateEntries[1:] {
				if entry.SerialNumber.Cmp(crl.List.RevokedCertificateEntries[i].SerialNumber) <= 0 {
					t.Error("not sorted by serial")
				}
			}
			wantCheck(t, ca.CheckRevocation(bad.Certificate, root, crl, now), ca.CheckFailed, "for the reason keyCompromise")
			wantCheck(t, ca.CheckRevocation(good.Certificate, root, crl, now), ca.CheckOK, "without it")
		})
	}
}

// TestCRLKeepsUntilSeen: a revoked certificate stays until the first list after
// its end (RFC 5280, 3.3), whatever was killed in between.
func TestCRLKeepsUntilSeen(t *testing.T) {
	t.Parallel()
	dir := newCA(t, ca.ECDSAP256)
	issue(t, ca.IssueOptions{Dir: dir, CommonName: "hour", Validity: "1h"})
	issue(t, ca.IssueOptions{Dir: dir, CommonName: "week", Validity: "7d"})
	issue(t, ca.IssueOptions{Dir: dir, CommonName: "killed"})
	change(t, dir, "UPDATE certificates SET status = 'reserved', pem = '', expiry = issued_at WHERE common_name = 'killed'")
	for _, name := range []string{"hour", "week", "killed"} {
		must(revoke(dir, name, ""))
	}
	check := func(after time.Duration, o ca.CRLOptions, want ...string) {
		t.Helper()
		o.Dir, o.Now = dir, now.Add(after)
		got := onList(t, dir, signCRL(t, o).Entries)
		for _, name := range []string{"hour", "week", "killed"} {
			if strings.Contains(got, name) != strings.Contains(strings.Join(want, " "), name) {
				t.Errorf("after %v: %s, want %v", after, got, want)
			}
		}
	}
	check(0, ca.CRLOptions{}, "hour", "week", "killed")
	check(30*time.Minute, ca.CRLOptions{}, "hour", "week", "killed")
	check(2*time.Hour, ca.CRLOptions{DryRun: true}, "hour", "week", "killed")
	// A list that was recorded, whose writer was killed before anybody saw it.
	kept := must(os.ReadFile(ca.CRLPath(dir)))
	check(2*time.Hour, ca.CRLOptions{}, "hour", "week", "killed")
	if err := os.WriteFile(ca.CRLPath(dir), kept, 0o600); err != nil {
		t.Fatal(err)
	}
	check(3*time.Hour, ca.CRLOptions{}, "hour", "week", "killed")
	check(4*time.Hour, ca.CRLOptions{}, "week", "killed")
	check(8*ca.Day, ca.CRLOptions{}, "week", "killed")
	check(9*ca.Day, ca.CRLOptions{}, "killed")
}

func TestCRLTimes(t *testing.T) {
	t.Parallel()
	dir := newCA(t, ca.ECDSAP256)
	for _, name := range []string{"no time", "no year", "tomorrow", "yesterday"} {
		issue(t, ca.IssueOptions{Dir: dir, CommonName: name})
		must(revoke(dir, name, ""))
	}
	change(t, dir, "UPDATE certificates SET revoked_at = NULL WHERE common_name = 'no time'")
	change(t, dir, "UPDATE certificates SET revoked_at = '0001-01-01 00:00:00+00:00' WHERE common_name = 'no year'")
	yesterday := now.Add(-ca.Day)
	change(t, dir, "UPDATE certificates SET revoked_at = '"+now.Add(ca.Day).Format(time.DateTime)+"' WHERE common_name = 'tomorrow'")
	change(t, dir, "UPDATE certificates SET revoked_at = '"+yesterday.Format(time.DateTime)+"' WHERE common_name = 'yesterday'") // as cfssl writes it
	early := 0
	for _, entry := range signCRL(t, ca.CRLOptions{Dir: dir}).Entries {
		switch {
		case entry.RevocationTime.Equal(yesterday):
			early++
		case !entry.RevocationTime.Equal(now):
			t.Errorf("%v", entry.RevocationTime)
		}
	}
	if early != 1 {
		t.Errorf("%d were revoked yesterday", early)
	}
}

// TestCRLOutOfNumbers: a number has 20 octets at most (RFC 5280, 5.2.3).
func TestCRLOutOfNumbers(t *testing.T) {
	t.Parallel()
	dir := newCA(t, ca.ECDSAP256)
	root := must(ca.ReadCertificate(ca.CertPath(dir)))
	key := must(ca.ReadKey(ca.KeyPath(dir), nil))
	largest := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 159), big.NewInt(1))
	write := func(number *big.Int) {
		der := must(x509.CreateRevocationList(rand.Reader, &x509.RevocationList{Number: number, ThisUpdate: now, NextUpdate: now.Add(ca.Day)}, root, key))
		if err := os.WriteFile(ca.CRLPath(dir), pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(new(big.Int).Sub(largest, big.NewInt(1)))
	if result := signCRL(t, ca.CRLOptions{Dir: dir}); result.Number.Cmp(largest) != 0 {
		t.Errorf("the last number is %v", result.Number)
	}
	before := must(os.ReadFile(ca.CRLPath(dir)))
	_, err := ca.SignCRL(context.Background(), ca.CRLOptions{Dir: dir, Now: now})
	if err == nil || !strings.Contains(err.Error(), "no number left") || failure.HintOf(err) == "" {
		t.Errorf("%v", err)
	}
	if string(must(os.ReadFile(ca.CRLPath(dir)))) != string(before) {
		t.Error("the list has changed")
	}
}

// TestCRLBadReason: what no verifier could read is found before it is published.
func TestCRLBadReason(t *testing.T) {
	t.Parallel()
	dir := newCA(t, ca.ECDSAP256)
	issue(t, ca.IssueOptions{Dir: dir, CommonName: "jane"})
	must(revoke(dir, "jane", ""))
	change(t, dir, "UPDATE certificates SET reason = 7 WHERE common_name = 'jane'")
	_, err := ca.SignCRL(context.Background(), ca.CRLOptions{Dir: dir, Now: now})
	if err == nil || !strings.Contains(err.Error(), "e_crl_has_valid_reason_code") || !strings.Contains(failure.HintOf(err), "inventory") {
		t.Errorf("%v, hint %q", err, failure.HintOf(err))
	}
	if _, err := os.Lstat(ca.CRLPath(dir)); err == nil {
		t.Error("it was published")
	}
	change(t, dir, "UPDATE certificates SET serial_number = 'x' WHERE common_name = 'jane'")
	_, err = ca.SignCRL(context.Background(), ca.CRLOptions{Dir: dir, Now: now})
	if err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("%v", err)
	}
}

// TestCRLMeanwhile: many at once, each with a number of its own.
func TestCRLMeanwhile(t *testing.T) {
	t.Parallel()
	dir := newCA(t, ca.ECDSAP256)
	const n = 20
	numbers := make(chan string, n)
	for i := range n {
		go func() {
			out := "-"
			if i%2 == 0 {
				out = filepath.Join(dir, fmt.Sprintf("%d.crl", i))
			}
			result, err := ca.SignCRL(context.Background(), ca.CRLOptions{Dir: dir, Out: out, Now: now})
			if err != nil {
				numbers <- err.Error()
				return
			}
			numbers <- result.Number.String()
		}()
	}
	seen := map[string]bool{}
	for range n {
		seen[<-numbers] = true
	}
	for i := range n {
		if !seen[fmt.Sprint(i+1)] {
			t.Errorf("no list has the number %d: %v", i+1, seen)
		}
	}
}

// TestCRLLarge: what is written is read again, by all who read lists.
func TestCRLLarge(t *testing.T) {
	t.Parallel()
	dir := newCA(t, ca.ECDSAP256)
	issued := issue(t, ca.IssueOptions{Dir: dir, CommonName: "jane"})
	good := issue(t, ca.IssueOptions{Dir: dir, CommonName: "good"})
	must(revoke(dir, "jane", "superseded"))
	const n = 30_000
	copies(t, dir, "jane", n-1)
	first := signCRL(t, ca.CRLOptions{Dir: dir})
	if len(first.Entries) != n || len(first.Data) <= 1<<20 {
		t.Fatalf("%d entries in %d bytes", len(first.Entries), len(first.Data))
	}
	if again := signCRL(t, ca.CRLOptions{Dir: dir}); again.Number.Cmp(first.Number) <= 0 {
		t.Errorf("number %v after %v", again.Number, first.Number)
	}
	items := must(ca.Decode(must(os.ReadFile(ca.CRLPath(dir))), "ca.crl"))
	if items[0].CRL.Count != n {
		t.Errorf("inspect finds %d", items[0].CRL.Count)
	}
	root := must(ca.ReadCertificate(ca.CertPath(dir)))
	crl := must(ca.ReadCRL(ca.CRLPath(dir)))
	wantCheck(t, ca.CheckRevocation(issued.Certificate, root, crl, now), ca.CheckFailed, "for the reason superseded")
	wantCheck(t, ca.CheckRevocation(good.Certificate, root, crl, now), ca.CheckOK, "without it")
}
