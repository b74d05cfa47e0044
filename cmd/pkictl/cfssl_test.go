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
