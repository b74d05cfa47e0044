package main_test

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/pkictl/pkictl/ca"
)

// TestCFSSLReadsInventory has cfssl's own program read the inventory, revoke in
// it, and sign a revocation list from it.
func TestCFSSLReadsInventory(t *testing.T) {
	t.Parallel()
	dir := newSite(t)
	do(t, dir, "issue", "--cn", "jane", "--group", "dev", "--validity", "8h")
	ok(t, os.WriteFile(filepath.Join(dir, "db.json"), []byte(`{"driver":"sqlite3","data_source":"pki/inventory.db"}`), 0o600))
	cert, err := ca.ReadCertificate(filepath.Join(dir, "pki", "jane.crt"))
	ok(t, err)
	serial, aki := cert.SerialNumber.String(), hex.EncodeToString(cert.AuthorityKeyId)

	var info struct {
		Subject struct {
			CommonName   string `json:"common_name"`
			Organization string `json:"organization"`
		} `json:"subject"`
		Serial string `json:"serial_number"`
		PEM    string `json:"pem"`
	}
	ok(t, json.Unmarshal([]byte(cfssl(t, dir, "certinfo", "-db-config", "db.json", "-serial", serial, "-aki", aki)), &info))
	if info.Subject.CommonName != "jane" || info.Subject.Organization != "dev" || info.Serial != serial ||
		strings.TrimSpace(info.PEM) != strings.TrimSpace(string(ca.EncodeCertificates(cert))) {
		t.Errorf("cfssl reads %+v", info)
	}

	if revoked := cfsslCRL(t, dir); len(revoked.RevokedCertificateEntries) != 0 {
		t.Errorf("%d are revoked", len(revoked.RevokedCertificateEntries))
	}
	cfssl(t, dir, "revoke", "-db-config", "db.json", "-serial", serial, "-aki", aki, "-reason", "superseded")
	entries := cfsslCRL(t, dir).RevokedCertificateEntries
	if len(entries) != 1 || entries[0].SerialNumber.Cmp(cert.SerialNumber) != 0 {
		t.Errorf("revoked: %+v", entries)
	}
	states := map[string]string{}
	for _, item := range list(t, dir).Items {
		states[item.Name] = item.State
	}
	if states["jane"] != "revoked" || states["old"] != "valid" || states["ca"] != "valid" {
		t.Errorf("list shows %v", states)
	}
	do(t, dir, "issue", "--cn", "jane", "--force") // cfssl left nothing that is in the way
}

// TestCFSSLReadsRevocations has cfssl's own programs read what pkictl revokes:
// its list has the same entries, and its OCSP responses the same reasons.
func TestCFSSLReadsRevocations(t *testing.T) {
	t.Parallel()
	dir := newSite(t)
	ok(t, os.WriteFile(filepath.Join(dir, "db.json"), []byte(`{"driver":"sqlite3","data_source":"pki/inventory.db"}`), 0o600))
	reasons := map[string]int{}
	for name, reason := range map[string]int{"unspecified": 0, "keyCompromise": 1, "superseded": 4, "privilegeWithdrawn": 9} {
		do(t, dir, "issue", "--cn", name, "-q")
		do(t, dir, "revoke", name, "--reason", name, "--yes", "-q")
		cert, err := ca.ReadCertificate(filepath.Join(dir, "pki", name+".crt"))
		ok(t, err)
		reasons[cert.SerialNumber.String()] = reason
	}
	do(t, dir, "crl", "-q")
	ours, err := ca.ReadCRL(filepath.Join(dir, "pki", "ca.crl"))
	ok(t, err)
	theirs := map[string]time.Time{}
	for _, entry := range cfsslCRL(t, dir).RevokedCertificateEntries {
		theirs[entry.SerialNumber.String()] = entry.RevocationTime
	}
	for _, entry := range ours.List.RevokedCertificateEntries {
		serial := entry.SerialNumber.String()
		if at, found := theirs[serial]; !found || !at.Equal(entry.RevocationTime) || reasons[serial] != entry.ReasonCode {
			t.Errorf("serial %s: %v for %d; cfssl has %v, %v", serial, entry.RevocationTime, entry.ReasonCode, at, found)
		}
	}
	if len(theirs) != len(reasons) || len(ours.List.RevokedCertificateEntries) != len(reasons) {
		t.Errorf("%d and %d entries, want %d", len(theirs), len(ours.List.RevokedCertificateEntries), len(reasons))
	}

	cfssl(t, dir, "ocsprefresh", "-db-config", "db.json", "-ca", "pki/ca.crt", "-responder", "pki/ca.crt", "-responder-key", "pki/ca.key")
	dump := cfssl(t, dir, "ocspdump", "-db-config", "db.json")
	root, err := ca.ReadCertificate(filepath.Join(dir, "pki", "ca.crt"))
	ok(t, err)
	seen := 0
	for line := range strings.Lines(dump) {
		der, err := base64.StdEncoding.DecodeString(strings.TrimSpace(line))
		ok(t, err)
		response, err := ocsp.ParseResponse(der, root)
		ok(t, err)
		reason, isRevoked := reasons[response.SerialNumber.String()]
		if isRevoked != (response.Status == ocsp.Revoked) || isRevoked && reason != response.RevocationReason {
			t.Errorf("serial %s: OCSP says %d for %d, want %v for %d", response.SerialNumber, response.Status, response.RevocationReason, isRevoked, reason)
		}
		seen++
	}
	if seen != len(reasons)+2 { // the CA and old are good
		t.Errorf("%d OCSP responses", seen)
	}
}

// cfssl runs the program that `make test` builds.
func cfssl(t *testing.T, dir string, args ...string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "..", "tools", "bin", "cfssl"))
	ok(t, err)
	cmd := exec.Command(path, append(args, "-loglevel=2")...)
	cmd.Dir = dir
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("cfssl %q: %v (make test builds it)\n%s%s", args, err, out, stderr.String())
	}
	return string(out)
}

func cfsslCRL(t *testing.T, dir string) *x509.RevocationList {
	t.Helper()
	text := cfssl(t, dir, "crl", "-db-config", "db.json", "-ca", "pki/ca.crt", "-ca-key", "pki/ca.key", "-expiry", "24h")
	der, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	ok(t, err)
	list, err := x509.ParseRevocationList(der)
	ok(t, err)
	root, err := ca.ReadCertificate(filepath.Join(dir, "pki", "ca.crt"))
	ok(t, err)
	ok(t, list.CheckSignatureFrom(root))
	return list
}
